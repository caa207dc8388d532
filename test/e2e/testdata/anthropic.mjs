// What people do with the Anthropic SDK, as they would write it.
import Anthropic from '@anthropic-ai/sdk';
import { run } from './steps.mjs';

const { BASE, TOKEN, SPENT } = process.env;
const client = new Anthropic({ baseURL: BASE, authToken: TOKEN, apiKey: null });
const byKey = new Anthropic({ baseURL: BASE, apiKey: TOKEN, authToken: null });
const ask = (content, more = {}) => ({ model: 'qwen3-32b', max_tokens: 200, messages: [{ role: 'user', content }], ...more });
const tools = [{ name: 'get_weather', description: 'Weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];

await run({
  create: async () => {
    const m = await client.messages.create(ask('[[sim say four]]'));
    return { text: m.content[0].text, model: m.model, stop: m.stop_reason, tokens: m.usage.output_tokens, requestID: m._request_id };
  },
  createByKey: async () => {
    const m = await byKey.messages.create(ask('[[sim say four]]'));
    return { text: m.content[0].text };
  },
  stream: async () => {
    let events = 0;
    const stream = client.messages.stream(ask('[[sim n=20]]')).on('text', () => events++);
    const m = await stream.finalMessage();
    return { text: m.content[0].text, events, stop: m.stop_reason };
  },
  tool: async () => {
    const m = await client.messages.stream(ask('[[sim tool get_weather {"city":"Paris"}]]', { tools })).finalMessage();
    return { input: m.content.find((b) => b.type === 'tool_use').input, stop: m.stop_reason };
  },
  countTokens: async () => ({ tokens: (await client.messages.countTokens({ model: 'qwen3-32b', messages: ask('hello').messages })).input_tokens }),
  models: async () => {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    return { ids };
  },
  model: async () => ({ id: (await client.models.retrieve('qwen3-32b')).id }),
  midStream: () => client.messages.stream(ask('[[sim n=40 die after=10]]')).finalMessage(),
  overloaded: () => client.messages.create(ask('[[sim status=503]]'), { maxRetries: 0 }),

  badToken: () => new Anthropic({ baseURL: BASE, authToken: 'llmgw_u_none', apiKey: null }).messages.create(ask('hello')),
  spent: () => new Anthropic({ baseURL: BASE, authToken: SPENT, apiKey: null }).messages.create(ask('hello')),
  walled: () => client.messages.create(ask('hello', { model: 'other-1' })),
  unknownModel: () => client.messages.create(ask('hello', { model: 'nobody-has-this' })),
  unknownModelRetrieved: () => client.models.retrieve('nobody-has-this'),
  badRequest: () => client.messages.create(ask('hello', { chat_template: '{{ messages }}' })),
});
