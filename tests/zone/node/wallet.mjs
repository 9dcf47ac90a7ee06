// Signs with ethers. Reads a JSON list of {key, text, plain} from standard input and writes a list of {address,
// signature}: over the text as personal_sign frames it, or where `plain` is true over the text's own Keccak-256.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const { Wallet, keccak256, toUtf8Bytes } = require("ethers");

const asked = JSON.parse(readFileSync(0, "utf8"));
const signed = asked.map(({ key, text, plain }) => {
  const wallet = new Wallet(key);
  const signature = plain
    ? wallet.signingKey.sign(keccak256(toUtf8Bytes(text))).serialized
    : wallet.signMessageSync(text);
  return { address: wallet.address, signature };
});
process.stdout.write(JSON.stringify(signed));
