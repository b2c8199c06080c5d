// What a receiver in JavaScript accepts: `node verify.mjs < cases.json` prints true or false for each case.
// The parts between the lines are in docs/signatures.md.

import { readFileSync } from "node:fs";

// ---
import { Webhook } from "standardwebhooks";

// `body` is the Buffer as it came, before anything parsed it.
function accepts(secret, headers, body) {
  const webhook = secret.startsWith("whsec_")
    ? new Webhook(secret)
    : new Webhook(Buffer.from(secret), { format: "raw" });
  try {
    webhook.verify(body, headers);
  } catch {
    return false;
  }
  return true;
}
// ---

// ---
import { createPublicKey, verify } from "node:crypto";

function acceptsPublic(publicKey, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signatures } = headers;
  if (!id || !signatures || !(Math.abs(Date.now() / 1000 - Number(seconds)) <= 300)) return false;
  const x = Buffer.from(publicKey.slice("whpk_".length), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const signed = Buffer.concat([Buffer.from(`${id}.${seconds}.`), body]);
  return signatures
    .split(" ")
    .filter((signature) => signature.startsWith("v1a,"))
    .some((signature) => verify(null, signed, key, Buffer.from(signature.slice("v1a,".length), "base64")));
}
// ---

const cases = JSON.parse(readFileSync(0, "utf8"));
const found = cases.map(({ secret, headers, body }) =>
  (secret.startsWith("whpk_") ? acceptsPublic : accepts)(secret, headers, Buffer.from(body, "base64")),
);
console.log(JSON.stringify(found));
