"""A client of the standard library that asks one thing over and over, and never waits."""

import http.client
import json
import os
import sys
from urllib.parse import urlsplit

url = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
headers = {"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"}
messages = [{"role": "user", "content": "hello"}]
body = json.dumps({"model": "claude-sonnet-5", "max_tokens": 9, "messages": messages})
connection = http.client.HTTPConnection(url.netloc)
statuses = []
for _ in range(int(sys.argv[1])):
    connection.request("POST", f"{url.path}/v1/messages", body, headers)
    response = connection.getresponse()
    response.read()
    statuses.append(response.status)
print(*statuses)
