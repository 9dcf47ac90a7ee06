// SCOW's minimal path by @grpc/grpc-js, the library with which SCOW's own pages call: first start, users, accounts,
// prices, money, a real job, its charge. Messages come from the files under proto/ alone.
//
// Reads one JSON object from standard input: `server` and `portal` (the addresses of SCOW's two ports), `token` (the
// front end's) and `proto` (the folder). Ends with 0 and one line per step, or with an error that says what was
// expected.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2] + "/");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const given = JSON.parse(readFileSync(0, "utf8"));
const SECRET = "correct horse battery staple";
const files = ["init", "user", "account", "tenant", "job", "charging", "admin", "config"];
const definition = loader.loadSync(
  [
    ...files.map((file) => `scow/server/${file}.proto`),
    "scow/common/config.proto",
    "scow/portal/job.proto",
  ],
  // As SCOW's generated code: camel case, numbers for enumerations, absent messages absent.
  { includeDirs: [given.proto], longs: Number, defaults: false, arrays: true },
);
const { scow } = grpc.loadPackageDefinition(definition);

const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${given.token}`);

function port(address, services) {
  const open = (Service) => new Service(address, grpc.credentials.createInsecure());
  // Messages stand among the services.
  const wanted = Object.entries(services).filter(([, Service]) => Service.service !== undefined);
  const clients = Object.fromEntries(wanted.map(([name, Service]) => [name, open(Service)]));
  const call = (place, message = {}) => {
    const [service, method] = place.split(".");
    const options = { deadline: Date.now() + 30_000 };
    return new Promise((resolve, reject) => {
      clients[service][method](message, metadata, options, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  };
  const close = () => Object.values(clients).forEach((client) => client.close());
  return { call, close };
}

const server = port(given.server, { ...scow.server, Common: scow.common.ConfigService });
const portal = port(given.portal, { JobService: scow.portal.JobService, Common: scow.common.ConfigService });

async function refused(place, message, code, details) {
  const error = await server.call(place, message).then(
    (answer) => assert.fail(`${place} was not refused but answered ${JSON.stringify(answer)}`),
    (error) => error,
  );
  assert.equal(error.code, code, `${place}: ${error.details}`);
  if (details !== undefined) assert.equal(error.details, details, place);
  return error;
}

async function eventually(look, what, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail(`not within ${seconds} s: ${what}`);
}

// Amounts are counted in ten-thousandths, exactly.
const money = (tenThousandths) => {
  const size = tenThousandths < 0n ? -tenThousandths : tenThousandths;
  return {
    positive: tenThousandths >= 0n,
    yuan: Number(size / 10_000n),
    decimalPlace: Number(size % 10_000n),
  };
};
const amount = ({ positive = false, yuan = 0, decimalPlace = 0 }) => {
  const size = BigInt(yuan) * 10_000n + BigInt(decimalPlace);
  return positive ? size : -size;
};

// By the contract's formula with two decimals: the amount is truncated before it is multiplied, and the price goes to
// the nearest hundredth, the higher one where both are as near.
function price(unitPrice, cores, seconds, least) {
  const hundredthsUsed = (BigInt(cores) * BigInt(seconds) * 100n) / 3600n;
  const millionths = unitPrice * hundredthsUsed;
  if (millionths <= least * 100n) return least;
  const rounded = (millionths + 5_000n) / 10_000n;
  return rounded * 100n;
}

const { ALREADY_EXISTS, NOT_FOUND, INVALID_ARGUMENT, INTERNAL } = grpc.status;

async function firstStart() {
  assert.ok(!(await server.call("InitService.QuerySystemInitialized")).initialized);
  const admin = { userId: "demo-admin", name: "Demo Admin", email: "admin@example.org", password: SECRET };
  assert.equal((await server.call("InitService.CreateInitAdmin", admin)).createdInAuth, true);
  await refused("InitService.CreateInitAdmin", admin, ALREADY_EXISTS, "EXISTS_IN_SCOW");
  await server.call("InitService.CompleteInit");
  await refused("InitService.CompleteInit", {}, ALREADY_EXISTS);
  assert.equal((await server.call("InitService.QuerySystemInitialized")).initialized, true);
  assert.equal((await server.call("InitService.UserExists", { userId: "demo-admin" })).existsInScow, true);
  console.log("initialised");
}

async function pageLoad() {
  const info = await server.call("UserService.GetUserInfo", { userId: "demo-admin" });
  assert.deepEqual([info.name, info.tenantName], ["Demo Admin", "default"]);
  assert.deepEqual([info.platformRoles, info.tenantRoles, info.affiliations], [[0], [0], []]);
  await refused("UserService.GetUserInfo", { userId: "nobody" }, NOT_FOUND);
  const { results } = await server.call("ConfigService.GetClustersRuntimeInfo");
  assert.deepEqual(results.map((one) => one.clusterId), ["local"]);
  assert.equal(typeof (await server.call("Common.GetApiVersion")), "object");
  console.log("page loaded");
}

async function structure() {
  await server.call("UserService.CreateUser", {
    tenantName: "default", identityId: "carol", name: "Carol", email: "carol@example.org", password: SECRET,
  });
  const account = { tenantName: "default", accountName: "chemistry", ownerId: "carol" };
  await server.call("AccountService.CreateAccount", account);
  await refused("AccountService.CreateAccount", account, ALREADY_EXISTS);
  const member = { tenantName: "default", accountName: "chemistry", userId: "demo-admin" };
  await server.call("UserService.AddUserToAccount", member);
  for (const [wrong, details] of [
    [{ ...member, userId: "nobody" }, "USER_OR_TENANT_NOT_FOUND"],
    [{ ...member, accountName: "nothing" }, "ACCOUNT_OR_TENANT_NOT_FOUND"],
  ]) {
    await refused("UserService.AddUserToAccount", wrong, NOT_FOUND, details);
  }
  const { affiliations } = await server.call("UserService.GetUserInfo", { userId: "carol" });
  assert.deepEqual(affiliations.map((one) => [one.accountName, one.role]), [["chemistry", 2]]);
  console.log("structured");
}

async function prices() {
  const item = { itemId: "1", path: "local.local", price: money(50_000_000n), amountStrategy: "cpusAlloc" };
  await server.call("JobService.AddBillingItem", item);
  await refused("JobService.AddBillingItem", item, ALREADY_EXISTS);
  await refused("JobService.AddBillingItem", { ...item, itemId: "2", amountStrategy: "moon" }, INVALID_ARGUMENT);
  const { activeItems } = await server.call("JobService.GetBillingItems", { activeOnly: true });
  assert.deepEqual(activeItems.map((one) => [one.id, amount(one.price)]), [["1", 50_000_000n]]);
  console.log("priced");
}

async function moneyIn() {
  const paid = { tenantName: "default", accountName: "chemistry", type: "cash", operatorId: "demo-admin" };
  const text = "Field amount is undefined.";
  await refused("ChargingService.Pay", paid, INVALID_ARGUMENT, text);
  const answer = await server.call("ChargingService.Pay", { ...paid, amount: money(10_000_000n) });
  assert.deepEqual([amount(answer.previousBalance), amount(answer.currentBalance)], [0n, 10_000_000n]);
  // W13: sums that are none change nothing.
  for (const wrong of [
    { positive: false, yuan: 0, decimalPlace: 0 },
    { positive: true, yuan: 1, decimalPlace: 10_000 },
    { positive: true, yuan: Number.MAX_SAFE_INTEGER, decimalPlace: 0 },
  ]) {
    await refused("ChargingService.Pay", { ...paid, amount: wrong }, INVALID_ARGUMENT);
  }
  const { balance } = await server.call("ChargingService.GetBalance", paid);
  assert.equal(amount(balance), 10_000_000n);
  console.log("paid");
}

async function runAJob() {
  const mine = { userId: "carol", cluster: "local" };
  assert.deepEqual((await portal.call("JobService.ListAccounts", mine)).accounts, ["chemistry"]);
  const { jobId } = await portal.call("JobService.SubmitJob", {
    ...mine, account: "chemistry", partition: "local", qos: "normal", jobName: "from-javascript", nodeCount: 1,
    coreCount: 1, maxTime: 2, command: "sleep 1", workingDirectory: "work", output: "out", errorOutput: "err",
  });
  await eventually(async () => {
    const { results } = await portal.call("JobService.ListAllJobs", mine);
    return results.some((row) => row.jobId === jobId && row.state === "COMPLETED");
  }, "the job has ended");
  console.log("ran job", jobId);
  return jobId;
}

async function charged(jobId) {
  await eventually(
    async () => (await server.call("AdminService.FetchJobs")).newJobsCount === 1,
    "one job is fetched",
  );
  const found = await server.call("JobService.GetJobs", { filter: { tenantName: "default" }, page: 1 });
  assert.deepEqual(found.jobs.map((job) => [job.idJob, job.user, job.account]), [[jobId, "carol", "chemistry"]]);
  const [job] = found.jobs;
  const wanted = price(50_000_000n, job.cpusAlloc, job.timeUsed, 100n);
  assert.deepEqual([amount(job.accountPrice), amount(job.tenantPrice)], [wanted, wanted]);
  const seconds = Math.floor(Date.now() / 1000);
  const day = {
    startTime: { seconds: seconds - 86_400 }, endTime: { seconds: seconds + 86_400 },
    accountsOfTenant: { tenantName: "default", accountNames: [] },
  };
  const { results } = await server.call("ChargingService.GetPaginatedChargeRecords", { ...day, page: 1, pageSize: 10 });
  assert.deepEqual(results.map((one) => [one.accountName, one.userId, amount(one.amount)]), [
    ["chemistry", "carol", wanted],
  ]);
  const total = await server.call("ChargingService.GetChargeRecordsTotalCount", day);
  assert.deepEqual([amount(total.totalAmount), total.totalCount], [wanted, 1]);
  const { balance } = await server.call("ChargingService.GetBalance", { tenantName: "default", accountName: "chemistry" });
  assert.equal(amount(balance), 10_000_000n - wanted);
  // The trailers that SCOW's pages read.
  const error = await refused("JobService.GetRunningJobs", { cluster: "moon" }, INTERNAL);
  assert.deepEqual(error.metadata.get("scow_error_code"), ["NOT_EXIST_IN_ACTIVATED_CLUSTERS"]);
  assert.deepEqual(JSON.parse(error.metadata.get("currentactivatedclusterids")[0]), ["local"]);
  console.log("charged", String(wanted), "ten-thousandths for", job.timeUsed, "s");
}

await firstStart();
await pageLoad();
await structure();
await prices();
await moneyIn();
await charged(await runAJob());
server.close();
portal.close();
