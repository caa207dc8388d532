// What people do with the OpenAI SDK, as they would write it. PACKAGE is which
// of its versions.
import { run } from './steps.mjs';

const { BASE, TOKEN, SPENT, PACKAGE } = process.env;
const { default: OpenAI } = await import(PACKAGE);
const client = new OpenAI({ baseURL: BASE + '/v1', apiKey: TOKEN });
const ask = (content, more = {}) => ({ model: 'qwen3-32b', messages: [{ role: 'user', content }], ...more });
const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];

async function collect(params) {
  let text = '', events = 0, usage = null, finish = null, withoutChoice = 0;
  for await (const chunk of await client.chat.completions.create({ ...params, stream: true })) {
    const choice = chunk.choices[0];
    if (!choice) withoutChoice++;
    if (choice?.delta?.content) {
      text += choice.delta.content;
      events++;
    }
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { text, events, finish, usage: usage?.completion_tokens ?? 0, withoutChoice };
}

await run({
  create: async () => {
    const c = await client.chat.completions.create(ask('[[sim say four]]'));
    return { text: c.choices[0].message.content, model: c.model, stop: c.choices[0].finish_reason, tokens: c.usage.completion_tokens };
  },
  stream: () => collect(ask('[[sim n=20]]')),
  streamWithUsage: () => collect(ask('[[sim n=20]]', { stream_options: { include_usage: true } })),
  tool: async () => {
    const c = await client.chat.completions.stream(ask('[[sim tool get_weather {"city":"Paris"}]]', { tools })).finalChatCompletion();
    return { input: JSON.parse(c.choices[0].message.tool_calls[0].function.arguments), stop: c.choices[0].finish_reason };
  },
  models: async () => {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    return { ids };
  },
  model: async () => ({ id: (await client.models.retrieve('qwen3-32b')).id }),
  midStream: () => collect(ask('[[sim n=40 die after=10]]')),
  overloaded: () => client.chat.completions.create(ask('[[sim status=503]]'), { maxRetries: 0 }),

  badToken: () => new OpenAI({ baseURL: BASE + '/v1', apiKey: 'llmgw_u_none' }).chat.completions.create(ask('hello')),
  spent: () => new OpenAI({ baseURL: BASE + '/v1', apiKey: SPENT }).chat.completions.create(ask('hello')),
  walled: () => client.chat.completions.create(ask('hello', { model: 'other-1' })),
  unknownModel: () => client.chat.completions.create(ask('hello', { model: 'nobody-has-this' })),
  unknownModelRetrieved: () => client.models.retrieve('nobody-has-this'),
  noSuchEndpoint: () => client.embeddings.create({ model: 'qwen3-32b', input: 'hello' }),
  badRequest: () => client.chat.completions.create(ask('hello', { chat_template: '{{ messages }}' })),
});
