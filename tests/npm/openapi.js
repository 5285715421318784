// openapi.js DOCUMENT [EXCHANGES [all]] - checks the OpenAPI document with a linter and against the
// answers that the stories got.
//
// EXCHANGES is a file with a line of JSON for each answer (tests/system/harness/http.cc). The
// document must describe each answer: path, method, status, headers, and the body by its schema.
// With `all`, every story ran, and each response in the document must have occurred. Prints the
// problems. The exit code is 1 if there are any.
'use strict';

const fs = require('fs');
const readline = require('readline');
const Ajv = require('ajv/dist/2020');
const { lint, createConfig } = require('@redocly/openapi-core');

const [file, exchanges, extent] = process.argv.slice(2);
const document = JSON.parse(fs.readFileSync(file, 'utf8'));
const problems = new Map();  // problem → number of times
const complain = problem => problems.set(problem, (problems.get(problem) || 0) + 1);

// --- the linter -----------------------------------------------------------------------

const kRules = {
    extends: ['recommended-strict'],
    rules: {
        // /domains/mailboxes matches two paths: /{domain}/mailboxes, which is the older one, and
        // /domains/{domain}. It lists the mailboxes of a domain named "domains".
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

// The URLs of servers must be relative, because a generated client must use the server that the
// document came from. They must have no variables, because a common validator refuses variables
// with a description.
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

// --- the document ----------------------------------------------------------------------

const resolved = value => value.$ref === undefined ? value
    : resolved(value.$ref.slice(2).split('/').reduce((part, name) => part[name], document));

const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: false });
ajv.addSchema({ $id: 'document', components: document.components }, 'document', false, false);
ajv.addVocabulary(['components']);
const validators = new Map();

// Returns the compiled validator of a schema. Its references point into the document.
function validator(schema) {
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
    if (!validators.has(text)) validators.set(text, ajv.compile(JSON.parse(text)));
    return validators.get(text);
}

const kMethods = ['get', 'head', 'post', 'put', 'delete', 'patch', 'options', 'trace'];

// Returns the prefixes of a path. The empty prefix is for paths without a version. The document
// does not list that server, because its URL is "/", and many generators then create paths that
// begin with "//".
const prefixes_of = item => [...(item.servers || document.servers).map(server => server.url), ''];

const paths = Object.entries(document.paths).map(([pattern, item]) => ({
    pattern, item,
    prefixes: prefixes_of(item),
    parts: pattern.split('/').slice(1),
}));

const decoded = part => { try { return decodeURIComponent(part); } catch { return part; } };

// Returns the first path in the document that matches a request target, as the service does;
// undefined if there is none.
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

// --- the answers -----------------------------------------------------------------------

// The responses that occurred: the name of a shared response, or method and path, followed by the
// status.
const seen = new Set();

// Returns how an answer differs from the described response; undefined if it does not.
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
    try { body = JSON.parse(exchange.body); } catch { return 'is not JSON'; }
    const validate = validator(described.schema);
    return validate(body) ? undefined : ajv.errorsText(validate.errors) + ': ' + exchange.body.trim().slice(0, 200);
}

// The shared responses by status. They apply to unknown paths and methods, and to answers that
// nginx sends before it looks at the path.
const kShared = new Map(Object.values(document.paths).flatMap(item => Object.values(item)).flatMap(operation => Object.entries(operation.responses || {}))
    .filter(([, response]) => response.$ref !== undefined).map(([status, response]) => [status, response.$ref]));

function judge(exchange) {
    const path = path_of(exchange.target);
    const method = exchange.method.toLowerCase();
    const operation = path && kMethods.includes(method) ? path.item[method] : undefined;
    const place = operation ? `${exchange.method} ${path.pattern}` : path ? `unknown method of ${path.pattern}` : 'unknown path';
    const response = operation ? operation.responses[exchange.status] : { $ref: kShared.get(String(exchange.status)) };
    if (response === undefined || (response.$ref === undefined && !operation)) {
        return complain(`${place}: the document has no response ${exchange.status}: ${exchange.body.trim().slice(0, 200)}`);
    }
    seen.add(`${response.$ref || place} ${exchange.status}`);
    const found = difference(exchange, resolved(response));
    if (found !== undefined) complain(`${place}: ${exchange.status} ${found}`);
}

// True for answers that nginx sends and that are not part of the API: health, settings of mail
// programs, and a surrounding site. The document does not describe them. The stories' client checks
// that each answer of the API is JSON and has the header.
const is_beside = exchange => /^\/(healthz|readyz)/.test(exchange.target)
    || (exchange.headers['content-type'] !== 'application/json' && exchange.headers['x-request-id'] === undefined);

async function judge_exchanges() {
    let count = 0;
    for await (const line of readline.createInterface({ input: fs.createReadStream(exchanges) })) {
        const exchange = JSON.parse(line);
        if (exchange.target.split('?')[0] === '/openapi.json' && [200, 412].includes(exchange.status)) {
            if (exchange.method === 'GET' && exchange.status === 200 && exchange.body !== fs.readFileSync(file, 'utf8')) complain('/openapi.json is not this document');
            continue;
        }
        if (is_beside(exchange)) continue;
        judge(exchange);
        ++count;
    }
    if (count === 0) complain('there are no answers');
    return count;
}

function judge_coverage() {
    for (const { pattern, item } of paths) {
        for (const method of kMethods.filter(name => item[name])) {
            for (const [status, response] of Object.entries(item[method].responses)) {
                const name = `${response.$ref || `${method.toUpperCase()} ${pattern}`} ${status}`;
                if (!seen.has(name)) complain(`no story got ${name}`);
            }
        }
    }
}

(async () => {
    await judge_document();
    let text = 'the document has no problems';
    if (exchanges) text += ` and describes ${await judge_exchanges()} answers`;
    if (extent === 'all') judge_coverage();
    for (const [problem, times] of problems) console.log(`openapi: ${problem}${times > 1 ? ` (${times} times)` : ''}`);
    if (problems.size === 0) console.log(`openapi: ${text}.`);
    process.exitCode = problems.size === 0 ? 0 : 1;
})();
