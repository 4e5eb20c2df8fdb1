// A real provider of OpenID Connect for tests, on a port of its own, with keys of its own. Whatever name somebody signs in
// with is theirs. `/test/groups/NAME/GROUP,GROUP` puts them into groups, `/test/rotate` gives the provider new keys, and
// `/test/asked` tells how often its keys were asked for.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [redirectUri, tokenClaims] = process.argv.slice(2);
const server = createServer(answer);
const groups = new Map();
let asked = 0;
let provider;

function keys() {
  const pairs = [
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ];
  return pairs.map(([alg, pair]) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() }));
}

// Clients differ in how their tokens are signed and how they say who they are.
function clients() {
  const client = (name, alg, method) => ({
    client_id: name,
    ...(method === 'none' ? {} : { client_secret: 'a secret: of 32 letters & more, + % =' }),
    token_endpoint_auth_method: method,
    id_token_signed_response_alg: alg,
    redirect_uris: [redirectUri],
  });
  return [
    client('rs256', 'RS256', 'client_secret_basic'),
    client('es256', 'ES256', 'client_secret_basic'),
    client('eddsa', 'EdDSA', 'client_secret_basic'),
    client('hs256', 'HS256', 'client_secret_basic'),
    client('public', 'RS256', 'none'),
  ];
}

function make(issuer) {
  const made = new Provider(issuer, {
    jwks: { keys: keys() },
    clients: clients(),
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA', 'HS256'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'], groups: ['groups'] },
    conformIdTokenClaims: tokenClaims !== 'in-token',
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ['not a secret'] },
    findAccount: (_, name) => {
      const claims = {
        sub: name,
        name: `${name} of the tests`,
        preferred_username: name,
        email: `${name}@example.com`,
        groups: groups.get(name) ?? [],
      };
      return { accountId: name, claims: () => claims };
    },
    // nobody is asked for consent
    loadExistingGrant: async (context) => {
      const { client, session } = context.oidc;
      const grant = new made.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid profile email groups');
      await grant.save();
      return grant;
    },
  });
  return made;
}

function answer(request, response) {
  if (request.url.startsWith('/test/groups/')) {
    const [name, list] = request.url.split('/').slice(3);
    groups.set(name, list.split(','));
    response.end();
  } else if (request.url === '/test/rotate') {
    provider = make(provider.issuer);
    response.end();
  } else if (request.url === '/test/asked') {
    response.end(String(asked));
  } else {
    if (request.url === '/jwks') asked += 1;
    provider.callback()(request, response);
  }
}

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  provider = make(issuer);
  console.log(issuer);
});
// ends with the test, however that ends
process.stdin.resume().on('end', () => process.exit());
