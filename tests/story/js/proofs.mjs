// A wallet of ethers and an Ed25519 key of Node's crypto sign in the same person, at soke.v1 by @grpc/grpc-js.
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";

import { call, ethers, main, native, same, world } from "./world.mjs";

const sessions = () => native("session", "SessionService");

function wallet() {
  const { Wallet } = ethers();
  return new Wallet(world.walletKey);
}

async function signed(linkTo) {
  const own = wallet();
  const { text } = await call(sessions(), "createWalletText", { address: own.address, linkTo });
  return { text, signature: Buffer.from(own.signMessageSync(text).slice(2), "hex") };
}

function whoIs(answer, how) {
  same([answer.identity.userName, answer.identity.userId], ["ada", world.user_id], `who signs in by ${how}`);
  return answer.tokens.accessToken;
}

main({
  // Makes a wallet and links it to ada.
  async link() {
    world.walletKey = ethers().Wallet.createRandom().privateKey;
    const proof = await signed("ada");
    await call(sessions(), "addWallet", { ...proof, label: "ethers" }, world.bearer);
    return { walletKey: world.walletKey };
  },
  async wallet() {
    const answer = await call(sessions(), "signIn", { wallet: await signed("") });
    return { wallet_bearer: whoIs(answer, "wallet") };
  },
  // Makes a key and tells the zone of it.
  async add_key() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const raw = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
    await call(sessions(), "addKey", { publicKey: raw, label: "node" }, world.bearer);
    return { key: privateKey.export({ format: "pem", type: "pkcs8" }), publicKey: raw.toString("hex") };
  },
  async key() {
    const { challenge } = await call(sessions(), "createChallenge", { userName: "ada" });
    const signature = sign(null, challenge, createPrivateKey(world.key));
    const publicKey = Buffer.from(world.publicKey, "hex");
    const answer = await call(sessions(), "signIn", { key: { userName: "ada", challenge, signature, publicKey } });
    return { key_bearer: whoIs(answer, "key") };
  },
});
