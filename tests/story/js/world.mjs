// What the programs of the story share: the world as it comes in, gRPC calls by the names of the .proto files, and how
// they say what they have learnt.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

export const world = JSON.parse(readFileSync(0, "utf8"));

const from = (library) => createRequire(`${world.tools}/${library}/`);

export const ethers = () => from("ethers")("ethers");
export const grpc = from("grpc-js")("@grpc/grpc-js");
const loader = from("grpc-js")("@grpc/proto-loader");

export function same(found, wanted, what) {
  const [left, right] = [found, wanted].map((value) => JSON.stringify(value));
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`);
}

// A service as grpc-js knows it. `file` is a path below proto/, `name` has the package.
export function service(file, name, address, credentials, options = {}) {
  const definition = loader.loadSync(`${world.proto}/${file}`, {
    includeDirs: [world.proto],
    keepCase: false,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const loaded = grpc.loadPackageDefinition(definition);
  const Client = name.split(".").reduce((found, part) => found[part], loaded);
  return new Client(address, credentials, options);
}

// Makes a call with one answer.
export function call(client, method, message, bearer) {
  const metadata = new grpc.Metadata();
  if (bearer) metadata.set("authorization", `Bearer ${bearer}`);
  const deadline = Date.now() + 60_000;
  return new Promise((resolve, reject) => {
    client[method](message, metadata, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

// Makes a call that must fail, and gives the name of its code.
export async function refused(client, method, message, bearer) {
  let answer;
  try {
    answer = await call(client, method, message, bearer);
  } catch (error) {
    if (error.code === undefined) throw error;
    return grpc.status[error.code];
  }
  throw new Error(`${method} was not refused but answered ${JSON.stringify(answer)}`);
}

// The native listener: TLS with the zone's own authority.
export function native(file, name) {
  const credentials = grpc.credentials.createSsl(readFileSync(world.ca));
  const options = { "grpc.ssl_target_name_override": "soke.localhost" };
  return service(`soke/v1/${file}.proto`, `soke.v1.${name}`, world.address.native, credentials, options);
}

export async function main(steps) {
  const learnt = await steps[process.argv[2]]();
  process.stdout.write(JSON.stringify(learnt ?? {}));
  process.exit(0);
}
