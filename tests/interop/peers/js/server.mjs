// gRPC's interoperability server with @grpc/grpc-js. Prints `stands on PORT` and stays until it is ended.

import { INITIAL, TRAILING, flags, grpc, payload, read, testing } from "./common.mjs";

const given = flags({ port: "0", use_tls: "false" });

// Sends initial metadata back, and gives what is to come back last.
function echo(call) {
  const initial = new grpc.Metadata();
  call.metadata.get(INITIAL).forEach((value) => initial.add(INITIAL, value));
  call.sendMetadata(initial);
  const trailing = new grpc.Metadata();
  call.metadata.get(TRAILING).forEach((value) => trailing.add(TRAILING, value));
  return trailing;
}

const statusOf = ({ response_status }) =>
  response_status?.code ? { code: response_status.code, details: response_status.message } : null;

async function outputs(call, request) {
  for (const { size, interval_us } of request.response_parameters) {
    if (interval_us > 0) {
      await new Promise((resolve) => setTimeout(resolve, interval_us / 1000));
    }
    call.write({ payload: payload(size) });
  }
}

// Answers the requests of a stream one after the other, and ends when the last is answered.
function answer(call, requests) {
  const trailing = echo(call);
  let last = Promise.resolve();
  const then = (step) => {
    last = last.then(step).catch((error) => call.emit("error", error));
  };
  requests((request) => then(async () => {
    const status = statusOf(request);
    if (status !== null) {
      throw Object.assign(new Error(status.details), status);
    }
    await outputs(call, request);
  }));
  call.on("end", () => then(() => call.end(trailing)));
}

const service = {
  EmptyCall(call, done) {
    const trailing = echo(call);
    done(null, {}, trailing);
  },

  UnaryCall(call, done) {
    const trailing = echo(call);
    const request = call.request;
    const message = { payload: payload(request.response_size) };
    if (request.fill_server_id) {
      message.server_id = "grpc-js";
    }
    done(statusOf(request), message, trailing);
  },

  StreamingOutputCall(call) {
    const trailing = echo(call);
    outputs(call, call.request).then(() => call.end(trailing));
  },

  StreamingInputCall(call, done) {
    const trailing = echo(call);
    let sum = 0;
    call.on("data", (request) => (sum += request.payload.body.length));
    call.on("end", () => done(null, { aggregated_payload_size: sum }, trailing));
  },

  FullDuplexCall(call) {
    answer(call, (each) => call.on("data", each));
  },

  HalfDuplexCall(call) {
    const kept = [];
    call.on("data", (request) => kept.push(request));
    answer(call, (each) => call.on("end", () => kept.forEach(each)));
  },
};

const server = new grpc.Server();
server.addService(testing.TestService.service, service);
let credentials = grpc.ServerCredentials.createInsecure();
if (given.use_tls === "true") {
  const pair = { private_key: read(given.tls_key_file), cert_chain: read(given.tls_cert_file) };
  const authority = read(given.ca_file);
  credentials = grpc.ServerCredentials.createSsl(authority, [pair], authority !== null);
}
server.bindAsync(`127.0.0.1:${given.port}`, credentials, (error, port) => {
  if (error) {
    throw error;
  }
  console.log(`stands on ${port}`);
});
