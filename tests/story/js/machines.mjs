// LiteKube's network controller by @grpc/grpc-js, under ada's certificate.
import { readFileSync } from "node:fs";

import { call, grpc, main, refused, same, service, world } from "./world.mjs";

const read = (name) => readFileSync(`${world.folder}/${name}`);

function control() {
  const credentials = grpc.credentials.createSsl(read("ca.pem"), read("client-key.pem"), read("client.pem"));
  const address = world.address["litekube.control"];
  return service("pb/network_controller.proto", "pb.LiteKubeNCService", address, credentials);
}

main({
  async state() {
    same((await call(control(), "healthCheck", {})).code, "200", "the service's health");
    const state = await call(control(), "checkConnState", { token: world.machine });
    same([state.code, state.connState], ["200", -1], "a machine's state");
  },
  async refused() {
    const code = await refused(control(), "checkConnState", { token: world.machine });
    same(code, "UNAUTHENTICATED", "after revoking: her certificate");
  },
});
