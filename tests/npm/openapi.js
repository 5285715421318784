// openapi.js DOCUMENT [EXCHANGES [all]] - judges the OpenAPI document: by a linter, and by what the stories saw.
//
// EXCHANGES has a line of JSON for each answer (tests/system/http.cc). Each has to be one that the document describes:
// its path, method and status, the headers, and the body by its schema. With `all`, when every story ran, nothing may be
// described that no story saw. Prints what is wrong; ends with 1 if something is.
'use strict';

const fs = require('fs');
const readline = require('readline');
const Ajv = require('ajv/dist/2020');
const { lint, createConfig } = require('@redocly/openapi-core');

const [file, exchanges, extent] = process.argv.slice(2);
const document = JSON.parse(fs.readFileSync(file, 'utf8'));
const problems = new Map();  // and how often
const complain = problem => problems.set(problem, (problems.get(problem) || 0) + 1);

// --- the linter -----------------------------------------------------------------------

const kRules = {
    extends: ['recommended-strict'],
    rules: {
        // /domains/mailboxes are the mailboxes of a domain called domains, as they were before there were others.
        'no-ambiguous-paths': 'off',
        'no-invalid-media-type-examples': 'error',
        'no-invalid-schema-examples': 'error',
        'no-invalid-parameter-examples': 'error',
        'no-unused-components': 'error',
        'operation-operationId': 'error',
        'operation-operationId-unique': 'error',
        'tag-description': 'error',
    },
};

// A generated client must talk to where the document came from. And a validator that many tools contain refuses variables
// with a description, so there are none.
function judge_servers() {
    for (const { servers } of [document, ...Object.values(document.paths)]) {
        for (const server of servers || []) {
            if (!/^\/v\d$/.test(server.url) || server.variables) complain(`the server ${server.url} must be /v and a digit, without variables`);
        }
    }
}

async function judge_document() {
    judge_servers();
    for (const found of await lint({ ref: file, config: await createConfig(kRules) })) {
        complain(`${found.ruleId}: ${found.message} (${found.location.map(place => place.pointer).join(', ')})`);
    }
}

// --- what is described ------------------------------------------------------------------

const resolved = value => value.$ref === undefined ? value
    : resolved(value.$ref.slice(2).split('/').reduce((part, name) => part[name], document));

const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: false });
ajv.addSchema({ $id: 'document', components: document.components }, 'document', false, false);
ajv.addVocabulary(['components']);
const validators = new Map();

// References are the document's own, so they are led there.
function validator(schema) {
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
    if (!validators.has(text)) validators.set(text, ajv.compile(JSON.parse(text)));
    return validators.get(text);
}

const kMethods = ['get', 'head', 'post', 'put', 'delete', 'patch', 'options', 'trace'];

// What stands in front of a path. The paths answer without a version, too; that server is not in the document, because its
// URL is "/", of which and a path many generators make "//".
const prefixes_of = item => [...(item.servers || document.servers).map(server => server.url), ''];

const paths = Object.entries(document.paths).map(([pattern, item]) => ({
    pattern, item,
    prefixes: prefixes_of(item),
    parts: pattern.split('/').slice(1),
}));

const decoded = part => { try { return decodeURIComponent(part); } catch { return part; } };

// The path that a target is of, as the service finds it; the first one counts.
function path_of(target) {
    const whole = target.split('?')[0];
    for (const path of paths) {
        for (const prefix of path.prefixes) {
            if (prefix !== '' && !whole.startsWith(prefix + '/')) continue;
            const parts = whole.slice(prefix.length).split('/').slice(1).map(decoded);
            const is_collection = !path.parts.at(-1).startsWith('{');
            if (is_collection && parts.length === path.parts.length + 1 && parts.at(-1) === '') parts.pop();
            if (parts.length !== path.parts.length) continue;
            if (path.parts.every((part, at) => part.startsWith('{') ? parts[at] !== '' : part === parts[at])) return path;
        }
    }
    return undefined;
}

// --- what was seen ----------------------------------------------------------------------

const seen = new Set();  // of responses: the shared ones by their name, the others by path and method; with the status

// What it is not of what is described; nothing where it is.
function difference(exchange, response) {
    for (const [name, reference] of Object.entries(response.headers || {})) {
        const header = resolved(reference);
        const value = exchange.headers[name.toLowerCase()];
        if (value === undefined && header.required) return `has no ${name}`;
        if (value !== undefined && !validator(header.schema)(value)) return `has ${name}: ${value}`;
    }
    if (response.content === undefined) return exchange.body === '' ? undefined : 'has a body';
    if (exchange.method === 'HEAD') return undefined;
    const described = response.content[exchange.headers['content-type']];
    if (described === undefined) return `is ${exchange.headers['content-type']}`;
    let body;
    try { body = JSON.parse(exchange.body); } catch { return 'is no JSON'; }
    const validate = validator(described.schema);
    return validate(body) ? undefined : ajv.errorsText(validate.errors) + ': ' + exchange.body.trim().slice(0, 200);
}

// By the status alone: of paths and methods that there are not. nginx answers some before there is a path.
const kShared = new Map(Object.values(document.paths).flatMap(item => Object.values(item)).flatMap(operation => Object.entries(operation.responses || {}))
    .filter(([, response]) => response.$ref !== undefined).map(([status, response]) => [status, response.$ref]));

function judge(exchange) {
    const path = path_of(exchange.target);
    const method = exchange.method.toLowerCase();
    const operation = path && kMethods.includes(method) ? path.item[method] : undefined;
    const place = operation ? `${exchange.method} ${path.pattern}` : path ? `a method that ${path.pattern} does not have` : 'a path that there is not';
    const response = operation ? operation.responses[exchange.status] : { $ref: kShared.get(String(exchange.status)) };
    if (response === undefined || (response.$ref === undefined && !operation)) {
        return complain(`${place}: nothing says that it can be ${exchange.status}: ${exchange.body.trim().slice(0, 200)}`);
    }
    seen.add(`${response.$ref || place} ${exchange.status}`);
    const found = difference(exchange, resolved(response));
    if (found !== undefined) complain(`${place}: ${exchange.status} ${found}`);
}

// What else nginx serves beside the API: the health of the service, settings for mail programs, the site in whose midst
// the API is. None of it is of the document. (That the API's own answers are JSON and have the header is what the stories'
// client looks at in each.)
const is_beside = exchange => /^\/(healthz|readyz)/.test(exchange.target)
    || (exchange.headers['content-type'] !== 'application/json' && exchange.headers['x-request-id'] === undefined);

async function judge_exchanges() {
    let count = 0;
    for await (const line of readline.createInterface({ input: fs.createReadStream(exchanges) })) {
        const exchange = JSON.parse(line);
        if (exchange.target.split('?')[0] === '/openapi.json' && [200, 412].includes(exchange.status)) {
            if (exchange.method === 'GET' && exchange.status === 200 && exchange.body !== fs.readFileSync(file, 'utf8')) complain('/openapi.json is another one');
            continue;
        }
        if (is_beside(exchange)) continue;
        judge(exchange);
        ++count;
    }
    if (count === 0) complain('no answer was seen');
    return count;
}

function judge_coverage() {
    for (const { pattern, item } of paths) {
        for (const method of kMethods.filter(name => item[name])) {
            for (const [status, response] of Object.entries(item[method].responses)) {
                const name = `${response.$ref || `${method.toUpperCase()} ${pattern}`} ${status}`;
                if (!seen.has(name)) complain(`no story saw ${name}`);
            }
        }
    }
}

(async () => {
    await judge_document();
    let text = 'the document is well';
    if (exchanges) text += `, and so are ${await judge_exchanges()} answers`;
    if (extent === 'all') judge_coverage();
    for (const [problem, times] of problems) console.log(`openapi: ${problem}${times > 1 ? ` (${times} times)` : ''}`);
    if (problems.size === 0) console.log(`openapi: ${text}.`);
    process.exitCode = problems.size === 0 ? 0 : 1;
})();
