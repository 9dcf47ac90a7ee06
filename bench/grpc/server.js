// gRPC's test service on @grpc/grpc-js, as much of it as the bench calls. Prints its port; ends with standard input.
'use strict';
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const file = path.join('interop', 'test.proto');
const loaded = loader.loadSync(file, { includeDirs: [process.argv[2]], keepCase: true });
const { TestService } = grpc.loadPackageDefinition(loaded).grpc.testing;
const zeros = Buffer.alloc(4 * 1024 * 1024);

const service = {
  EmptyCall: (call, answer) => answer(null, {}),
  FullDuplexCall: (call) => {
    call.on('data', (request) => {
      const { size } = request.response_parameters[0];
      call.write({ payload: { body: zeros.subarray(0, size) } });
    });
    call.on('end', () => call.end());
    call.on('error', () => {});
  },
};

const server = new grpc.Server();
server.addService(TestService.service, service);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
