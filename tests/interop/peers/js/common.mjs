// What client.mjs and server.mjs share: the official flags, the service, sizes. The folder of the npm packages comes by
// the variable GRPC_JS, the one of the .proto files by PROTO.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.GRPC_JS}/`);
export const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

export const REQUESTS = [27182, 8, 1828, 45904];
export const ANSWERS = [31415, 9, 2653, 58979];
export const LARGE_REQUEST = 271828;
export const LARGE_ANSWER = 314159;
export const INITIAL = "x-grpc-test-echo-initial";
export const TRAILING = "x-grpc-test-echo-trailing-bin";

const definition = loader.loadSync("interop/test.proto", {
  includeDirs: [process.env.PROTO],
  keepCase: true,
  defaults: true,
});
export const testing = grpc.loadPackageDefinition(definition).grpc.testing;

export function flags(defaults) {
  const given = { ...defaults };
  for (const argument of process.argv.slice(2)) {
    const [name, ...value] = argument.replace(/^--/, "").split("=");
    given[name] = value.join("=");
  }
  return given;
}

export function read(path) {
  return path === undefined ? null : readFileSync(path);
}

export function payload(size) {
  return { body: Buffer.alloc(size) };
}
