/** Mistakes that somebody could make in what decides who gets in. */
import type { Mutant } from './mutant.js';

const TOKEN = 'src/modules/auth/id-token.ts';
const VERIFIER = 'src/modules/auth/oidc-verifier.ts';
const KEYS = 'src/modules/auth/key-set.ts';
const GUARD = 'src/modules/auth/task-authenticator.ts';
const APP_ENGINE = 'src/modules/auth/app-engine-dispatch.ts';
const PROBE = 'src/modules/auth/public-probe.ts';
const IAP = 'src/modules/auth/iap-verifier.ts';
const ENVELOPE = 'src/modules/auth/envelope.ts';
const REQUEST = 'src/modules/auth/enveloped-request.ts';
const SEALS = 'src/modules/auth/task-seals.ts';

export const MUTANTS: readonly Mutant[] = [
  // How a token looks.
  {
    file: TOKEN,
    from: 'const MOST_TOKEN_BYTES = 4_096;',
    to: 'const MOST_TOKEN_BYTES = 4_096_000;',
    why: 'a token of any size',
  },
  {
    file: TOKEN,
    from: "if (more.length > 0) throw unauthenticated('there is more than one Authorization header');",
    to: '',
    why: 'a second Authorization',
  },
  {
    file: TOKEN,
    from: 'if (alg !== algorithm) {',
    to: 'if (alg === undefined) {',
    why: 'the algorithm that the token names',
  },
  {
    file: TOKEN,
    from: "if (typ !== undefined && typ !== 'JWT')",
    to: 'if (typ === null)',
    why: 'a token of another kind',
  },
  {
    file: TOKEN,
    from: 'if (Object.hasOwn(rest, name))',
    to: "if (Object.hasOwn(rest, name) && name === 'crit')",
    why: 'a header with a key of its own',
  },
  {
    file: TOKEN,
    from: 'kid.length > MOST_KEY_ID_LENGTH',
    to: 'kid.length < 0',
    why: 'a name of a key of any length, which is looked up and logged',
  },
  {
    file: TOKEN,
    from: '!== signature) {\n    throw unauthenticated("the token\'s signature is not written',
    to: "=== '') {\n    throw unauthenticated(\"the token's signature is not written",
    why: 'a signature in several spellings',
  },
  {
    file: TOKEN,
    from: '({ payload } = await compactVerify(token, key, { algorithms: [algorithm] }));',
    to: "payload = Buffer.from(token.split('.')[1] ?? '', 'base64url'); void key; void compactVerify;",
    why: 'any signature at all',
  },
  {
    file: TOKEN,
    from: 'if (!token.endsWith(REMOVED_SIGNATURE)) return undefined;',
    to: "if (!token.toUpperCase().includes('.SIGNATURE_REMOVED')) return undefined;",
    why: 'what only looks like a removed signature',
  },
  {
    file: TOKEN,
    from: 'if (twice !== undefined)',
    to: 'if (twice === null)',
    why: 'a claim that comes twice',
  },
  {
    file: TOKEN,
    from: 'depth === 1) {',
    to: 'depth > 0) {',
    why: 'refuses claims for names that come again deeper down',
  },
  // When it is good.
  {
    file: TOKEN,
    from: 'skew: MINUTE,',
    to: 'skew: 5 * MINUTE,',
    why: 'tokens that expired minutes ago',
  },
  {
    file: TOKEN,
    from: 'mostLifetime: 65 * MINUTE,',
    to: 'mostLifetime: 24 * 60 * MINUTE,',
    why: 'tokens that live for a day',
  },
  {
    file: TOKEN,
    from: 'if (now >= until) throw',
    to: 'if (now > until + form.skew) throw',
    why: 'the skew twice',
  },
  {
    file: TOKEN,
    from: 'Math.max(iat, nbf ?? iat)',
    to: 'iat',
    why: 'a token before its nbf',
  },
  {
    file: TOKEN,
    from: "typeof value === 'number' && Number.isFinite(value)",
    to: 'Number.isFinite(Number(value))',
    why: 'times that are texts or lists',
  },
  // For whom, from whom, about whom.
  {
    file: TOKEN,
    from: 'if (aud !== audience) {',
    to: 'if (![aud].flat().includes(audience)) {',
    why: 'a list of audiences',
  },
  {
    file: TOKEN,
    from: '!issuers.includes(iss)',
    to: '!issuers.some((issuer) => iss.startsWith(issuer))',
    why: 'an issuer that only begins like ours',
  },
  {
    file: VERIFIER,
    from: 'verified !== true',
    to: '!verified',
    why: 'an address that is verified by a text',
  },
  {
    file: VERIFIER,
    from: 'const subjects = this.subjects.get(email);',
    to: 'const subjects = this.subjects.get(email.trim().toLowerCase());',
    why: 'an address in another spelling',
  },
  {
    file: VERIFIER,
    from: 'subjects.size > 0 && (subject === undefined || !subjects.has(subject))',
    to: 'subjects.size > 0 && subject !== undefined && !subjects.has(subject)',
    why: 'a token without an id, of an account that is pinned',
  },
  {
    file: VERIFIER,
    from: 'if (known && now < known.until) return known.caller;',
    to: 'if (known) return known.caller;',
    why: 'a remembered token for ever',
  },
  {
    file: VERIFIER,
    from: 'Math.min(until, now + REMEMBERED_FOR)',
    to: 'until',
    why: 'a token for an hour after its key was taken away',
  },
  {
    file: VERIFIER,
    from: 'if (this.remembered.size <= MOST_REMEMBERED) return;',
    to: 'if (this.remembered.size > 0) return;',
    why: 'memory that only grows',
  },
  {
    file: VERIFIER,
    from: 'this.rules.signatureRemoved ?',
    to: 'token ?',
    why: 'tokens without a signature in every mode',
  },
  // The keys.
  {
    file: KEYS,
    from: 'if (this.fetching) return this.fetching;',
    to: '',
    why: 'a fetch for everybody who waits',
  },
  {
    file: KEYS,
    from: 'if (Math.abs(now - this.lastFetch) < coolDown) return Promise.resolve();',
    to: '',
    why: 'a fetch for each key that somebody makes up',
  },
  {
    file: KEYS,
    from: 'Math.abs(now - this.lastFetch)',
    to: 'now - this.lastFetch',
    why: 'no fetch for hours once the clock was set back',
  },
  {
    file: KEYS,
    from: 'if (!this.keys || now >= this.keys.fetchedAt + MOST_STALE) {\n      throw',
    to: 'if (!this.keys) {\n      throw',
    why: 'keys of any age',
  },
  {
    file: KEYS,
    from: 'const MOST_STALE: Duration = 24 * HOUR;',
    to: 'const MOST_STALE: Duration = HOUR;',
    why: 'an outage as soon as the issuer has one',
  },
  {
    file: KEYS,
    from: 'void this.fetch(now);\n    }',
    to: 'await this.fetch(now);\n    }',
    why: 'makes everybody wait for a refresh of what is still good',
  },
  {
    file: KEYS,
    from: 'if (size > MOST_BYTES)',
    to: 'if (size < 0)',
    why: 'a document of any size',
  },
  {
    file: KEYS,
    from: "redirect: 'error'",
    to: "redirect: 'follow'",
    why: 'keys from wherever a redirect leads',
  },
  {
    file: KEYS,
    from: 'if (named !== issuer)',
    to: 'if (named === undefined)',
    why: 'the keys of another issuer',
  },
  {
    file: KEYS,
    from: "(jwk.use ?? 'sig') !== 'sig' ||",
    to: '',
    why: 'keys that are for something else',
  },
  {
    file: KEYS,
    from: "if (byId.size === 0) throw new Error('answered no usable key');",
    to: '',
    why: 'an empty document that throws good keys away',
  },
  // The guard of each mode.
  {
    file: APP_ENGINE,
    from: 'queues.length !== 1 ||',
    to: '',
    why: 'a queue that comes twice',
  },
  {
    file: APP_ENGINE,
    from: 'if (tasks.length !== 1 ||',
    to: 'if (',
    why: 'a task that comes twice',
  },
  {
    file: GUARD,
    from: "mode === 'appengine' && platformOf() !== 'app-engine-standard'",
    to: "mode === 'appengine' && platformOf() === 'cloud-run'",
    why: 'App Engine’s headers where anybody can send them',
  },
  {
    file: GUARD,
    from: "mode === 'cloud-run-iam' && platformOf() !== 'cloud-run'",
    to: "mode === 'cloud-run-iam' && platformOf() === undefined",
    why: 'unsigned tokens off Cloud Run',
  },
  {
    file: GUARD,
    from: "if (this.options.mode === 'cloud-run-iam' && checked) return checked;",
    to: '',
    why: 'an identity that Cloud Run has not checked',
  },
  {
    file: GUARD,
    from: 'if (problem !== undefined) throw new Refusal',
    to: "if (problem === '') throw new Refusal",
    why: 'unsigned tokens of strangers, of a service that is public',
  },
  {
    file: GUARD,
    from: 'if (queue !== undefined && this.queues?.has(queue)) return;',
    to: 'if (queue !== undefined) return;',
    why: 'tasks of any queue',
  },
  {
    file: GUARD,
    from: '(allowed ?? this.accounts).includes(account)',
    to: '(allowed ? true : this.accounts.includes(account))',
    why: 'any of the accounts at a handler that names some',
  },
  {
    file: GUARD,
    from: 'came.length !== expected.length || !timingSafeEqual(came, expected)',
    to: 'came.length !== expected.length',
    why: 'any signature of the right length as the engine’s',
  },
  {
    file: PROBE,
    from: 'const REFUSED = [401, 403];',
    to: 'const REFUSED = [401, 403, 404, 500];',
    why: 'a service that answers strangers',
  },
  {
    file: IAP,
    from: "algorithm: 'ES256',",
    to: "algorithm: 'RS256',",
    why: 'nothing, and refuses every assertion',
  },
  {
    file: IAP,
    from: 'mostLifetime: 11 * MINUTE,',
    to: 'mostLifetime: 180 * MINUTE,',
    why: 'assertions that live for hours',
  },
  // Envelopes.
  {
    file: ENVELOPE,
    from: 'if (!matches.includes(true))',
    to: 'if (matches.length === 0)',
    why: 'any signature of the right form',
  },
  {
    file: ENVELOPE,
    from: '`${Buffer.byteLength(part)}:${part}`',
    to: 'part',
    why: 'one signature for parts that meet elsewhere',
  },
  {
    file: ENVELOPE,
    from: 'if (now > Number(notAfter) * SECOND)',
    to: 'if (now > Infinity)',
    why: 'a copy of a task of last year',
  },
  {
    file: ENVELOPE,
    from: 'const parts = [VERSION, queue, taskId, method,',
    to: 'const parts = [VERSION, queue, method,',
    why: 'the signature of one task on another',
  },
  {
    file: ENVELOPE,
    from: "name.startsWith('x-tasks-') && name !== HEADER",
    to: "name === 'x-tasks-uid'",
    why: 'other headers of ours than those that were signed',
  },
  {
    file: ENVELOPE,
    from: 'previous === undefined ? [secret] : [secret, previous]',
    to: 'previous === undefined ? [secret] : [previous, secret]',
    why: 'signs with the old secret, which would never get out of use',
  },
  {
    file: REQUEST,
    from: 'if (hashOf(await bodyOf(request)) !== opened.bodyHash) {',
    to: "if (opened.bodyHash === '') {",
    why: 'another body',
  },
  {
    file: REQUEST,
    from: 'if (size > 0) request.unshift(body);',
    to: '',
    why: 'nothing: the handler gets no body',
  },
  {
    file: SEALS,
    from: 'if (!envelope || !(await this.isForUs(task))) return request;',
    to: 'if (!envelope) return request;',
    why: 'signatures of ours to whoever is called',
  },
  {
    file: SEALS,
    from: 'else if (hashOf(bodyOf(task)) !== opened.bodyHash)',
    to: "else if (opened.bodyHash === '')",
    why: 'a parked task with another body, made ours by a redrive',
  },
  {
    file: SEALS,
    from: '.filter(([header]) => !isEnvelope(header))',
    to: '',
    why: 'nothing: a successor has two envelopes, and is refused',
  },
];
