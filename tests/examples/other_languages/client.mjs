// The official SDKs as an application uses them: configured by the environment alone.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const anthropic = new Anthropic({ maxRetries: 6 });
const openai = new OpenAI({ maxRetries: 6 });

for (let number = 0; number < 3; number++) {
  const messages = [{ role: "user", content: `question ${number}` }];
  const answer = await anthropic.messages.create({ model: "claude-sonnet-5", max_tokens: 50, messages });
  console.log(answer.content[0].text);
  const completion = await openai.chat.completions.create({ model: "gpt-5", messages });
  console.log(completion.choices[0].message.content);
}

const messages = [{ role: "user", content: "stream" }];
let text = "";
const events = await anthropic.messages.create({ model: "claude-sonnet-5", max_tokens: 50, messages, stream: true });
for await (const event of events) {
  if (event.type === "content_block_delta") text += event.delta.text;
}
console.log(text);

text = "";
const chunks = await openai.chat.completions.create({ model: "gpt-5", messages, stream: true });
for await (const chunk of chunks) text += chunk.choices[0]?.delta?.content ?? "";
console.log(text);
