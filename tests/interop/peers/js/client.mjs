// gRPC's interoperability cases with @grpc/grpc-js: several in one process, a line for each.
//
// `passed CASE` or `failed CASE: why`; the exit code is 1 when one has failed.

import { createSign } from "node:crypto";

import {
  ANSWERS, INITIAL, LARGE_ANSWER, LARGE_REQUEST, REQUESTS, TRAILING, flags, grpc, payload, read, testing,
} from "./common.mjs";

const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n";
const GZIP = 2;
const NO_COMPRESSION = 2;

const given = flags({ server_host: "localhost", use_tls: "false", default_service_account: "", oauth_scope: "" });

function same(what, wanted, found) {
  if (JSON.stringify(wanted) !== JSON.stringify(found)) {
    throw new Error(`${what}: ${JSON.stringify(wanted)} is right, and ${JSON.stringify(found)} came`);
  }
}

function open({ call, service = testing.TestService, options = {} } = {}) {
  const target = `${given.server_host}:${given.server_port}`;
  if (given.use_tls !== "true") {
    return new service(target, grpc.credentials.createInsecure(), options);
  }
  let credentials = grpc.credentials.createSsl(
    read(given.ca_file), read(given.tls_key_file), read(given.tls_cert_file),
  );
  if (call !== undefined) {
    credentials = grpc.credentials.combineChannelCredentials(credentials, call);
  }
  const named = {
    "grpc.ssl_target_name_override": given.server_host_override,
    "grpc.default_authority": given.server_host_override,
  };
  return new service(target, credentials, { ...named, ...options });
}

const soon = () => ({ deadline: Date.now() + 60_000 });

// The end of a call: its status, its answer, its metadata.
function unary(stub, method, message, metadata = new grpc.Metadata(), options = soon()) {
  return new Promise((resolve) => {
    const seen = {};
    const call = stub[method](message, metadata, options, (error, answer) => {
      seen.answer = answer;
      seen.error = error;
    });
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("status", (status) => resolve({ ...seen, status }));
  });
}

async function good(stub, method, message, options) {
  const { answer, status } = await unary(stub, method, message, new grpc.Metadata(), options);
  same(`the code of ${method}`, [grpc.status.OK, ""], [status.code, status.code === 0 ? "" : status.details]);
  return answer;
}

// The end of a stream of answers: its status, their sizes.
function streamed(call, eachAnswer = () => {}) {
  return new Promise((resolve) => {
    const seen = { sizes: [] };
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("data", (answer) => {
      seen.sizes.push(answer.payload.body.length);
      eachAnswer(seen.sizes.length);
    });
    call.on("error", () => {});
    call.on("status", (status) => resolve({ ...seen, status }));
  });
}

const ping = (request, answer) => ({ response_parameters: [{ size: answer }], payload: payload(request) });
const large = (more) => ({ response_size: LARGE_ANSWER, payload: payload(LARGE_REQUEST), ...more });

const cases = {
  async empty_unary(stub) {
    // As bytes: what the message does not know, its decoder leaves out.
    const { path, requestSerialize } = testing.TestService.service.EmptyCall;
    const answer = await new Promise((resolve, reject) => {
      const told = (error, bytes) => (error ? reject(error) : resolve(bytes));
      stub.makeUnaryRequest(path, requestSerialize, (bytes) => bytes, {}, new grpc.Metadata(), soon(), told);
    });
    same("bytes of the answer", 0, answer.length);
  },

  async large_unary(stub) {
    same("bytes of the answer", LARGE_ANSWER, (await good(stub, "UnaryCall", large())).payload.body.length);
  },

  async client_streaming(stub) {
    const found = await new Promise((resolve) => {
      const call = stub.StreamingInputCall(soon(), (error, answer) => resolve(error ?? answer));
      REQUESTS.forEach((size) => call.write({ payload: payload(size) }));
      call.end();
    });
    same("the sum", REQUESTS.reduce((sum, size) => sum + size), found.aggregated_payload_size);
  },

  async server_streaming(stub) {
    const request = { response_parameters: ANSWERS.map((size) => ({ size })) };
    const { sizes, status } = await streamed(stub.StreamingOutputCall(request, soon()));
    same("the answers", [grpc.status.OK, ANSWERS], [status.code, sizes]);
  },

  async ping_pong(stub) {
    const call = stub.FullDuplexCall(soon());
    const over = streamed(call, (count) => {
      if (count < REQUESTS.length) {
        call.write(ping(REQUESTS[count], ANSWERS[count]));
      } else {
        call.end();
      }
    });
    call.write(ping(REQUESTS[0], ANSWERS[0]));
    const { sizes, status } = await over;
    same("the answers", [grpc.status.OK, ANSWERS], [status.code, sizes]);
  },

  async empty_stream(stub) {
    const call = stub.FullDuplexCall(soon());
    call.end();
    const { sizes, status } = await streamed(call);
    same("the answers", [grpc.status.OK, []], [status.code, sizes]);
  },

  async timeout_on_sleeping_server(stub) {
    const call = stub.FullDuplexCall({ deadline: Date.now() + 1 });
    call.write({ payload: payload(REQUESTS[0]) });
    same("the code", grpc.status.DEADLINE_EXCEEDED, (await streamed(call)).status.code);
  },

  async cancel_after_begin(stub) {
    const code = await new Promise((resolve) => {
      const call = stub.StreamingInputCall(soon(), (error) => resolve(error?.code));
      call.cancel();
    });
    same("the code", grpc.status.CANCELLED, code);
  },

  async cancel_after_first_response(stub) {
    const call = stub.FullDuplexCall(soon());
    const over = streamed(call, () => call.cancel());
    call.write(ping(REQUESTS[0], ANSWERS[0]));
    const { sizes, status } = await over;
    same("the code", [grpc.status.CANCELLED, [ANSWERS[0]]], [status.code, sizes]);
  },

  async status_code_and_message(stub) {
    const response_status = { code: 2, message: "test status message" };
    const wanted = [grpc.status.UNKNOWN, "test status message"];
    const one = await unary(stub, "UnaryCall", { response_status });
    same("the status of UnaryCall", wanted, [one.status.code, one.status.details]);
    const call = stub.FullDuplexCall(soon());
    call.write({ response_status });
    call.end();
    const { status } = await streamed(call);
    same("the status of FullDuplexCall", wanted, [status.code, status.details]);
  },

  async special_status_message(stub) {
    const { status } = await unary(stub, "UnaryCall", { response_status: { code: 2, message: SPECIAL } });
    same("the status", [grpc.status.UNKNOWN, SPECIAL], [status.code, status.details]);
  },

  async custom_metadata(stub) {
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, "test_initial_metadata_value");
    metadata.set(TRAILING, Buffer.from([0xab, 0xab, 0xab]));
    const one = await unary(stub, "UnaryCall", large(), metadata);
    const call = stub.FullDuplexCall(metadata, soon());
    call.write(ping(LARGE_REQUEST, LARGE_ANSWER));
    call.end();
    for (const { initial, status } of [one, await streamed(call)]) {
      same("the code", grpc.status.OK, status.code);
      same("initial metadata", ["test_initial_metadata_value"], initial.get(INITIAL));
      same("trailing metadata", ["ababab"], status.metadata.get(TRAILING).map((value) => value.toString("hex")));
    }
  },

  async unimplemented_method(stub) {
    same("the code", grpc.status.UNIMPLEMENTED, (await unary(stub, "UnimplementedMethod", {})).status.code);
  },

  async unimplemented_service() {
    const stub = open({ service: testing.UnimplementedService });
    const { status } = await unary(stub, "UnimplementedCall", {});
    stub.close();
    same("the code", grpc.status.UNIMPLEMENTED, status.code);
  },

  async client_compressed_unary(stub) {
    const probe = await unary(stub, "UnaryCall", large({ expect_compressed: { value: true } }));
    same("the code of the probe", grpc.status.INVALID_ARGUMENT, probe.status.code);
    const packing = open({ options: { "grpc.default_compression_algorithm": GZIP } });
    for (const [own, value] of [[packing, true], [stub, false]]) {
      const answer = await good(own, "UnaryCall", large({ expect_compressed: { value } }));
      same("bytes of the answer", LARGE_ANSWER, answer.payload.body.length);
    }
    packing.close();
  },

  async client_compressed_streaming(stub) {
    const upload = (own, requests) =>
      new Promise((resolve) => {
        const call = own.StreamingInputCall(soon(), (error, answer) => resolve({ error, answer }));
        for (const [size, value] of requests) {
          const request = { payload: payload(size), expect_compressed: { value } };
          call.write(request, value ? undefined : NO_COMPRESSION);
        }
        call.end();
      });
    const probe = await upload(stub, [[27182, true]]);
    same("the code of the probe", grpc.status.INVALID_ARGUMENT, probe.error?.code);
    const packing = open({ options: { "grpc.default_compression_algorithm": GZIP } });
    const { error, answer } = await upload(packing, [[27182, true], [45904, false]]);
    packing.close();
    same("the sum", [undefined, 73086], [error?.message, answer?.aggregated_payload_size]);
  },

  async oauth2_auth_token() {
    const token = await exchangedToken();
    await asCaller({ call: bearer(async () => token) });
  },

  async compute_engine_creds() {
    await asCaller({ call: bearer(machineToken) });
  },

  async per_rpc_creds(stub) {
    await who(stub, { ...soon(), credentials: bearer(exchangedToken) });
  },

  async service_account_creds() {
    await asCaller({ call: bearer(exchangedToken) });
  },

  async jwt_token_creds() {
    const answer = await asCaller({ call: bearer(ownToken) }, { fill_username: true });
    same("the scope", "", answer.oauth_scope);
  },
};

// Call credentials that send the token which `get` gives.
function bearer(get) {
  return grpc.credentials.createFromMetadataGenerator((parameters, done) => {
    get(parameters.service_url).then((token) => {
      const metadata = new grpc.Metadata();
      metadata.set("authorization", `Bearer ${token}`);
      done(null, metadata);
    }, done);
  });
}

// A token of the machine's own account, from the local issuer.
async function machineToken() {
  const url = `http://${given.metadata_server}/computeMetadata/v1/instance/service-accounts/default/token`;
  const answer = await fetch(url, { headers: { "metadata-flavor": "Google" } });
  return (await answer.json()).access_token;
}

// A token that the service account signs itself.
async function ownToken(audience, more = {}) {
  const account = JSON.parse(read(given.service_account_key_file));
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const email = account.client_email;
  const claims = { iss: email, sub: email, aud: audience, iat: now, exp: now + 3600, ...more };
  const signed = `${part({ alg: "RS256", typ: "JWT", kid: account.private_key_id })}.${part(claims)}`;
  const signature = createSign("RSA-SHA256").update(signed).sign(account.private_key);
  return `${signed}.${signature.toString("base64url")}`;
}

// A token that the service account's issuer gives for one that the account has signed.
async function exchangedToken() {
  const { token_uri } = JSON.parse(read(given.service_account_key_file));
  const assertion = await ownToken(token_uri, { scope: given.oauth_scope });
  const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  const body = new URLSearchParams({ grant_type, assertion });
  const answer = await fetch(token_uri, { method: "POST", body });
  return (await answer.json()).access_token;
}

async function who(stub, options, fill = { fill_username: true, fill_oauth_scope: true }) {
  const answer = await good(stub, "UnaryCall", large(fill), options);
  same("bytes of the answer", LARGE_ANSWER, answer.payload.body.length);
  same("the caller", given.default_service_account, answer.username);
  if (fill.fill_oauth_scope) {
    same("whether the scope is one that was asked for", true, given.oauth_scope.split(" ").includes(answer.oauth_scope));
  }
  return answer;
}

async function asCaller(how, fill) {
  const stub = open(how);
  try {
    return await who(stub, soon(), fill);
  } finally {
    stub.close();
  }
}

let code = 0;
for (const name of given.test_case.split(",")) {
  const stub = open();
  try {
    await cases[name](stub);
    console.log(`passed ${name}`);
  } catch (fault) {
    code = 1;
    console.log(`failed ${name}: ${fault}`);
  }
  stub.close();
}
process.exitCode = code;
