// Asks one question after the other for SECONDS, over connections that an SDK
// keeps as it likes, and prints how many were answered.
const { SDK, BASE, TOKEN, SECONDS } = process.env;
const content = '[[sim say steady]]';

async function anthropic() {
  const { default: Anthropic } = await import('@anthropic-ai/sdk');
  const client = new Anthropic({ baseURL: BASE, authToken: TOKEN, apiKey: null });
  const params = { model: 'qwen3-32b', max_tokens: 50, messages: [{ role: 'user', content }] };
  return async (stream) => {
    const m = stream ? await client.messages.stream(params).finalMessage() : await client.messages.create(params);
    return m.content[0].text;
  };
}

async function openai() {
  const { default: OpenAI } = await import('openai');
  const client = new OpenAI({ baseURL: BASE + '/v1', apiKey: TOKEN });
  const params = { model: 'qwen3-32b', messages: [{ role: 'user', content }] };
  return async (stream) => {
    const c = stream ? await client.chat.completions.stream(params).finalChatCompletion() : await client.chat.completions.create(params);
    return c.choices[0].message.content;
  };
}

const ask = await { anthropic, openai }[SDK]();
const result = { ok: 0, failed: [] };
const end = performance.now() + Number(SECONDS) * 1000;
for (let i = 0; performance.now() < end; i++) {
  try {
    const text = await ask(i % 2 === 0);
    if (text === 'steady') result.ok++;
    else result.failed.push(`answered ${JSON.stringify(text)}`);
  } catch (e) {
    result.failed.push(`${e.constructor.name}: ${e.message} (${e.cause ?? ''})`);
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}
process.stdout.write(JSON.stringify(result) + '\n');
