#!/bin/sh
# Asks three questions, and waits as long as a refusal says, plus a random second.
set -eu
body='{"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "QUESTION"}]}'

ask() {
    for _ in 1 2 3 4 5; do
        status=$(curl -s -o answer.json -D headers.txt -w '%{http_code}' \
            "$ANTHROPIC_BASE_URL/v1/messages" \
            -H "x-api-key: $ANTHROPIC_API_KEY" -H 'anthropic-version: 2023-06-01' \
            -H 'content-type: application/json' -H 'x-caller: agent.sh' \
            -d "$(echo "$body" | sed "s/QUESTION/$1/")")
        [ "$status" = 429 ] || break
        wait=$(tr -d '\r' <headers.txt | awk 'tolower($1) == "retry-after:" {print $2}')
        sleep "$((wait + $(od -An -N1 -tu1 /dev/urandom) / 128))"
    done
    echo "$1: $status"
}

ask 'What changed?'
ask 'Who changed it?'
ask 'Why?'
