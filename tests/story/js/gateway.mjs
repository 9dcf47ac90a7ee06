// Grid's handshake with a wallet of ethers, a deployment from a URL, and the service behind the gateway.
import http from "node:http";

import { ethers, main, same, world } from "./world.mjs";

// One request on a connection of its own.
function ask(path, cookie, method = "GET", body = "") {
  const [host, port] = world.address["grid.http"].split(":");
  const headers = { connection: "close", ...(cookie ? { cookie } : {}) };
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, path, method, headers, agent: false }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }),
      );
    });
    request.on("error", reject);
    request.setTimeout(60_000, () => request.destroy(new Error("no answer within 60 s")));
    request.end(body);
  });
}

const msg = (answer) => [answer.status, JSON.parse(answer.body).msg];

main({
  // Steps 0 to 2: a cookie for the wallet.
  async greet() {
    const wallet = new (ethers().Wallet)(world.walletKey);
    same(msg(await ask("/greet?type=0&input=0x1234")), [200, "[ACK] the lease is acceptable"], "step 0");
    const known = await ask(`/greet?type=1&input=${wallet.address}`);
    same(msg(known), [200, `[ACK] ${wallet.address} authorized ok`], "step 1");
    const time = Math.floor(Date.now() / 1000).toString();
    const proof = `/greet?type=2&input=${time}&addr=${wallet.address}&sig=${wallet.signMessageSync(time)}`;
    const greeted = await ask(proof);
    same(msg(greeted), [200, "[ACK] already authorized"], "step 2");
    const cookie = greeted.headers["set-cookie"][0].split(";")[0];
    same(cookie.split("=")[0], `cpuser_${wallet.address.toLowerCase()}`, "the cookie's name");
    return { cookie };
  },
  // Step 3: a manifest from a URL.
  async deploy() {
    const deployed = await ask(`/greet?type=3&input=${world.manifest}`, world.cookie);
    same(msg(deployed), [200, "[ACK] deployed ok"], "step 3");
  },
  // The service answers ada, and the gateway refuses whoever shows nothing.
  async reach() {
    let answer;
    const end = Date.now() + 60_000;
    do answer = await ask("/page?x=1", world.cookie, "POST", "said");
    while (answer.status !== 200 && Date.now() < end);
    const { who, id, line, body } = JSON.parse(answer.body);
    same([who, id, line, body], ["ada", world.user_id, "POST /page?x=1 HTTP/1.1", "said"], "what the service saw");
    same((await ask("/")).status, 400, "without a session");
  },
  async refused() {
    same((await ask("/", world.cookie)).status, 400, "after revoking: the cookie");
    same(msg(await ask(`/greet?type=3&input=${world.manifest}`, world.cookie)), [400, "[Fail] user is not authorized"], "after revoking: step 3");
  },
});
