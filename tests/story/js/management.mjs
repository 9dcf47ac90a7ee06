// SCOW's management by @grpc/grpc-js with the front end's token: first start, accounts, prices, money and charges.
import { call, grpc, main, same, service, world } from "./world.mjs";

const WHOLE = { startTime: { seconds: "0" }, endTime: { seconds: "4102444800" } };
const OF_ACCOUNT = { accountOfTenant: { tenantName: "default", accountName: "lab" } };

function server(file, name) {
  const credentials = grpc.credentials.createInsecure();
  return service(`scow/server/${file}.proto`, `scow.server.${name}`, world.address["scow.server"], credentials);
}

const ask = (file, name, method, message) => call(server(file, name), method, message, world.front_end);

// A sum as ten-thousandths.
function sum(money) {
  const amount = Number(money.yuan) * 10_000 + money.decimalPlace;
  return money.positive ? amount : -amount;
}

const money = (amount) => ({ positive: true, yuan: Math.floor(amount / 10_000), decimalPlace: amount % 10_000 });

async function account() {
  const { results } = await ask("account", "AccountService", "getAccounts", { accountName: "lab" });
  same(results.length, 1, "accounts of that name");
  return results[0];
}

async function balance() {
  const answer = await ask("charging", "ChargingService", "getBalance", { tenantName: "default", accountName: "lab" });
  return sum(answer.balance);
}

main({
  // The first start: an administrator is made, and the way to make one is shut.
  async initialise() {
    const initialised = () => ask("init", "InitService", "querySystemInitialized", {});
    same((await initialised()).initialized, false, "before");
    const password = "correct horse battery";
    const ada = { userId: "ada", name: "Ada", email: "ada@example.org", password };
    await ask("init", "InitService", "createInitAdmin", ada);
    return { password };
  },
  async complete() {
    await ask("init", "InitService", "completeInit", {});
    same((await ask("init", "InitService", "querySystemInitialized", {})).initialized, true, "after");
    const info = await ask("user", "UserService", "getUserInfo", { userId: "ada" });
    same([info.name, info.tenantName, info.email], ["Ada", "default", "ada@example.org"], "what is known of her");
  },
  async account() {
    await ask("account", "AccountService", "createAccount", { tenantName: "default", accountName: "lab", ownerId: "ada" });
    return {};
  },
  // 36 for an hour of a core.
  async price() {
    const lab = await account();
    same([lab.ownerId, lab.blocked, sum(lab.balance)], ["ada", true, 0], "an account before it is paid for");
    const item = { itemId: "HPC01", price: money(360_000), amountStrategy: "cpusAlloc", path: "local.local" };
    await ask("job", "JobService", "addBillingItem", item);
  },
  async pay() {
    const { activeItems } = await ask("job", "JobService", "getBillingItems", { activeOnly: true });
    same(activeItems.map((item) => [item.id, item.path, sum(item.price)]), [["HPC01", "local.local", 360_000]], "prices");
    const payment = { tenantName: "default", accountName: "lab", type: "transfer", comment: "", ipAddress: "192.0.2.7" };
    const paid = await ask("charging", "ChargingService", "pay", { ...payment, operatorId: "ada", amount: money(1_000_000) });
    same([sum(paid.previousBalance), sum(paid.currentBalance)], [0, 1_000_000], "what was paid");
  },
  async paid() {
    same([await balance(), (await account()).blocked], [1_000_000, false], "an account that is paid for");
  },
  // The job that was run through the portal is charged, to whom and how much is the same wherever it is asked.
  async charged() {
    await ask("admin", "AdminService", "fetchJobs", {});
    const filter = { tenantName: "default", accountName: "lab", clusters: [] };
    const jobs = await ask("job", "JobService", "getJobs", { filter, page: 1, pageSize: 10 });
    same(jobs.jobs.map((job) => [String(job.idJob), job.user, job.account]), [[String(world.portal_job), "ada", "lab"]], "billed jobs");
    const [job] = jobs.jobs;
    // Hours of one core, cut to hundredths; times 36; a hundredth at least.
    const price = Math.max(Math.floor(Number(job.timeUsed) / 36) * 3_600, 100);
    same([sum(job.accountPrice), sum(jobs.totalAccountPrice)], [price, price], "the job's price");
    const records = await ask("charging", "ChargingService", "getPaginatedChargeRecords", { ...WHOLE, ...OF_ACCOUNT, page: 1, pageSize: 10 });
    const charges = records.results.map((charge) => [charge.accountName, charge.userId, sum(charge.amount)]);
    same(charges, [["lab", "ada", price]], "charges");
    const total = await ask("charging", "ChargingService", "getChargeRecordsTotalCount", { ...WHOLE, ...OF_ACCOUNT });
    same([Number(total.totalCount), sum(total.totalAmount)], [1, price], "all charges together");
    same(await balance(), 1_000_000 - price, "what is left");
    return { price };
  },
});
