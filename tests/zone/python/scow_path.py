"""SCOW's minimal path by plain grpcio: first start, users, accounts, prices, money, a real job, its charge.

Reads one JSON object from standard input: `server` and `portal` (the addresses of SCOW's two ports) and `token` (the
front end's). Nothing of Soke's own code is here, and the price is computed anew from the formula of the documents.
Ends with 0 and one line per step, or with a traceback that says what was expected.
"""

import datetime
import importlib
import json
import sys
import time
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

import grpc

SECRET = "correct horse battery staple"
PLACES = Decimal("0.0001")


class Port:
    """One of SCOW's ports."""

    def __init__(self, address, package, token):
        self.channel = grpc.insecure_channel(address)
        self.package = package
        self.metadata = [("authorization", f"Bearer {token}")]

    def call(self, place, fields=None, package=None):
        """Calls `file.Service.Method` and gives its answer."""
        file, service, method = place.split(".")
        module = f"scow.{package or self.package}.{file}"
        stub = getattr(importlib.import_module(module + "_pb2_grpc"), service + "Stub")(self.channel)
        request = getattr(importlib.import_module(module + "_pb2"), method + "Request")(**(fields or {}))
        return getattr(stub, method)(request, metadata=self.metadata, timeout=30)

    def refused(self, place, fields, code, text=None):
        """Calls a method that must fail so."""
        try:
            answer = self.call(place, fields)
        except grpc.RpcError as error:
            same(error.code(), code, f"{place}, which said {error.details()}")
            if text is not None:
                same(error.details(), text, f"what {place} said")
            return
        raise AssertionError(f"{place} was not refused but answered {answer}")


def same(found, wanted, what):
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


def eventually(look, what, seconds=60):
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def money(text):
    """An amount as a message."""
    amount = Decimal(text)
    whole = int(abs(amount))
    rest = int((abs(amount) - whole) * 10_000)
    return {"positive": amount >= 0, "yuan": whole, "decimal_place": rest}


def amount(message):
    """A message as an amount."""
    size = message.yuan + message.decimal_place * PLACES
    return size if message.positive else -size


def round_half_ceiling(value, places):
    """To the nearest multiple; the higher one where both are as near."""
    low = value.quantize(places, ROUND_FLOOR)
    return low if value - low < places / 2 else value.quantize(places, ROUND_CEILING)


def price(unit_price, cores, seconds, places, least):
    """The price of a job by its cores: the amount is truncated before it is multiplied."""
    if unit_price <= 0 or seconds <= 0:
        return Decimal(0)
    used = (Decimal(cores) * seconds / 3600).quantize(places, ROUND_DOWN)
    exact = unit_price * used
    return round_half_ceiling(exact, places) if exact > least else least


def first_start(server):
    same(server.call("init.InitService.QuerySystemInitialized").initialized, False, "initialised before")
    exists = server.call("init.InitService.UserExists", {"user_id": "demo-admin"})
    same(exists.exists_in_scow, False, "the administrator before")
    admin = {"user_id": "demo-admin", "name": "Demo Admin", "email": "admin@example.org", "password": SECRET}
    same(server.call("init.InitService.CreateInitAdmin", admin).created_in_auth, True, "made with a password")
    server.refused("init.InitService.CreateInitAdmin", admin, grpc.StatusCode.ALREADY_EXISTS, "EXISTS_IN_SCOW")
    server.call("init.InitService.CompleteInit")
    server.refused("init.InitService.CompleteInit", {}, grpc.StatusCode.ALREADY_EXISTS)
    server.refused(
        "init.InitService.CreateInitAdmin", {**admin, "user_id": "late"}, grpc.StatusCode.FAILED_PRECONDITION
    )
    same(server.call("init.InitService.QuerySystemInitialized").initialized, True, "initialised after")
    print("initialised")


def page_load(server):
    info = server.call("user.UserService.GetUserInfo", {"user_id": "demo-admin"})
    same((info.name, info.email, info.tenant_name), ("Demo Admin", "admin@example.org", "default"), "the person")
    same((list(info.platform_roles), list(info.tenant_roles)), ([0], [0]), "the roles")
    assert info.create_time.seconds > 1_700_000_000, "made some time"
    server.refused("user.UserService.GetUserInfo", {"user_id": "nobody"}, grpc.StatusCode.NOT_FOUND)
    found = server.call("user.UserService.GetUsersByIds", {"user_ids": ["demo-admin", "nobody"]}).users
    same([(user.user_id, user.user_name) for user in found], [("demo-admin", "Demo Admin")], "users by id")
    clusters = server.call("config.ConfigService.GetClustersRuntimeInfo").results
    same([(one.cluster_id, one.activation_status) for one in clusters], [("local", 0)], "clusters")
    files = server.call("config.ConfigService.GetClusterConfigFiles", package="common").cluster_configs
    same([one.cluster_id for one in files], ["local"], "configured clusters")
    print("page loaded")


def structure(server):
    same(list(server.call("tenant.TenantService.GetTenants").names), ["default"], "tenants")
    tenant = {"tenant_name": "institute", "user_id": "dora", "user_name": "Dora", "user_password": SECRET}
    assert server.call("tenant.TenantService.CreateTenant", tenant).created_in_auth, "made with its administrator"
    again = {**tenant, "user_id": "eve"}
    server.refused(
        "tenant.TenantService.CreateTenant", again, grpc.StatusCode.ALREADY_EXISTS, "TENANT_ALREADY_EXISTS"
    )
    same(list(server.call("tenant.TenantService.GetTenants").names), ["default", "institute"], "tenants")
    about = server.call("tenant.TenantService.GetTenantInfo", {"tenant_name": "institute"})
    same(([one.user_id for one in about.admins], about.user_count), (["dora"], 1), "who looks after the tenant")
    for name in ["alice", "bob"]:
        user = {"tenant_name": "default", "identity_id": name, "name": name.title(), "email": "", "password": SECRET}
        made = server.call("user.UserService.CreateUser", user)
        assert made.id > 0 and made.created_in_auth, f"{name} is made: {made}"
        server.refused("user.UserService.CreateUser", user, grpc.StatusCode.ALREADY_EXISTS, "EXISTS_IN_SCOW")
    account = {"tenant_name": "default", "account_name": "physics", "owner_id": "alice", "comment": "a lab"}
    server.call("account.AccountService.CreateAccount", account)
    server.refused("account.AccountService.CreateAccount", account, grpc.StatusCode.ALREADY_EXISTS)
    member = {"tenant_name": "default", "account_name": "physics", "user_id": "bob"}
    server.call("user.UserService.AddUserToAccount", member)
    server.refused("user.UserService.AddUserToAccount", member, grpc.StatusCode.ALREADY_EXISTS)
    users = server.call("user.UserService.GetUsers", {"tenant_name": "default"}).users
    assert {"demo-admin", "alice", "bob"} <= {one.user_id for one in users}, f"users of the tenant: {users}"
    asked = {"tenant_name": "default", "account_name": "physics"}
    both = server.call("user.UserService.GetAccountUsers", asked).results
    same([(one.user_id, one.role) for one in both], [("alice", 2), ("bob", 0)], "users of the account")
    [found] = server.call("account.AccountService.GetAccounts", {"tenant_name": "default"}).results
    same((found.account_name, found.owner_id, found.owner_name), ("physics", "alice", "Alice"), "the account")
    same((found.user_count, found.comment, amount(found.balance)), (2, "a lab", 0), "its users and balance")
    same((found.blocked, found.state, found.displayed_state), (True, 0, 3), "a new account is blocked until paid")
    print("structured")


def prices(server):
    same(len(server.call("job.JobService.GetBillingItems", {"active_only": True}).active_items), 0, "items before")
    missing = server.call("job.JobService.GetMissingDefaultPriceItems").items
    same(list(missing), ["local.local.normal"], "what has no price")
    item = {"item_id": "P001", "path": "local.local", "price": money("1234.5"), "amount_strategy": "cpusAlloc"}
    server.call("job.JobService.AddBillingItem", item)
    server.refused("job.JobService.AddBillingItem", item, grpc.StatusCode.ALREADY_EXISTS)
    own = {"item_id": "T001", "tenant_name": "default", "price": money("2345.6789"), "path": "local.local.normal"}
    server.call("job.JobService.AddBillingItem", {**own, "amount_strategy": "max-cpusAlloc-mem"})
    # An item is never changed: the later one of a path is the active one.
    server.call("job.JobService.AddBillingItem", {**own, "item_id": "T002", "amount_strategy": "cpusAlloc"})
    items = server.call("job.JobService.GetBillingItems", {"tenant_name": "default"})
    same(sorted(one.id for one in items.active_items), ["P001", "T002"], "active items")
    same([one.id for one in items.history_items], ["T001"], "items of before")
    by_id = {one.id: one for one in items.active_items}
    same(amount(by_id["T002"].price), Decimal("2345.6789"), "a price to the last digit")
    same((by_id["T002"].tenant_name, by_id["T002"].path), ("default", "local.local.normal"), "whose and for what")
    print("priced")


def money_in(server):
    paid = {"operator_id": "demo-admin", "type": "cash", "comment": "first", "ip_address": "192.0.2.1"}
    tenant = {**paid, "tenant_name": "default", "amount": money("1000")}
    answer = server.call("charging.ChargingService.Pay", tenant)
    same((amount(answer.previous_balance), amount(answer.current_balance)), (0, 1000), "the tenant's balance")
    account = {**tenant, "account_name": "physics", "amount": money("500.25")}
    answer = server.call("charging.ChargingService.Pay", account)
    same(amount(answer.current_balance), Decimal("500.25"), "the account's balance")
    # Below zero is taken back.
    answer = server.call("charging.ChargingService.Pay", {**account, "amount": money("-0.25")})
    same(amount(answer.current_balance), 500, "after a withdrawal")
    server.refused(
        "charging.ChargingService.Pay", {**account, "account_name": "nothing"}, grpc.StatusCode.NOT_FOUND
    )
    del account["amount"]
    text = "Field amount is undefined."
    server.refused("charging.ChargingService.Pay", account, grpc.StatusCode.INVALID_ARGUMENT, text)
    [found] = server.call("account.AccountService.GetAccounts", {"account_name": "physics"}).results
    same((found.blocked, found.displayed_state), (False, 0), "a paid account is open")
    print("paid")


def run_a_job(server, portal):
    mine = {"user_id": "bob", "cluster": "local"}
    accounts = portal.call("job.JobService.ListAccounts", mine).accounts
    same(list(accounts), ["physics"], "bob's accounts")
    ask = {"cluster": "local", "user_id": "bob", "account_name": "physics"}
    offered = portal.call("config.ConfigService.GetAvailablePartitionsForCluster", ask, package="common").partitions
    same([one.name for one in offered], ["local"], "partitions")
    job = {
        **mine,
        "account": "physics",
        "partition": "local",
        "qos": "normal",
        "job_name": "paid-work",
        # A second more than what is asked for below: whole ones are billed, from when the start was heard of.
        "command": "sleep 3; echo done",
        "node_count": 1,
        "core_count": 1,
        "max_time": 5,
        "working_directory": "work",
        "output": "out.txt",
        "error_output": "err.txt",
    }
    number = portal.call("job.JobService.SubmitJob", job).job_id

    def running():
        rows = server.call("job.JobService.GetRunningJobs", {"cluster": "local", "account_name": "physics"}).jobs
        return [row for row in rows if row.job_id == str(number) and row.user == "bob"]

    def ended():
        rows = portal.call("job.JobService.ListAllJobs", mine).results
        return [row for row in rows if row.job_id == number and row.state == "COMPLETED"]

    eventually(lambda: running() or ended(), "the job runs")
    eventually(ended, "the job has ended")
    print("ran job", number)
    return number


def charged(server, number):
    def fetched():
        return server.call("admin.AdminService.FetchJobs").new_jobs_count

    eventually(lambda: fetched() == 1, "one job is fetched")
    same(fetched(), 0, "nothing is fetched twice")
    found = server.call("job.JobService.GetJobs", {"filter": {"tenant_name": "default"}, "page": 1})
    same(found.total_count, 1, "ended jobs")
    job = found.jobs[0]
    same((job.id_job, job.user, job.account, job.cluster), (number, "bob", "physics", "local"), "the job")
    ran = job.time_end.seconds - job.time_start.seconds
    assert job.time_used in (ran - 1, ran, ran + 1) and job.time_used >= 2, f"it ran {job.time_used} s"
    least, cores = Decimal("0.01"), job.cpus_alloc
    account_price = price(Decimal("2345.6789"), cores, job.time_used, PLACES, least)
    tenant_price = price(Decimal("1234.5"), cores, job.time_used, PLACES, least)
    same((amount(job.account_price), amount(job.tenant_price)), (account_price, tenant_price), "the job's prices")
    same(amount(found.total_account_price), account_price, "the sum over the jobs")

    now = datetime.datetime.now(datetime.timezone.utc)
    day = {
        "start_time": now - datetime.timedelta(days=1),
        "end_time": now + datetime.timedelta(days=1),
        "account_of_tenant": {"tenant_name": "default", "account_name": "physics"},
    }
    records = server.call("charging.ChargingService.GetPaginatedChargeRecords", {**day, "page": 1}).results
    same([(amount(one.amount), one.user_id) for one in records], [(account_price, "bob")], "the account's charges")
    total = server.call("charging.ChargingService.GetChargeRecordsTotalCount", day)
    same((amount(total.total_amount), total.total_count), (account_price, 1), "their sum")
    left = server.call("charging.ChargingService.GetBalance", {"tenant_name": "default", "account_name": "physics"})
    same(amount(left.balance), 500 - account_price, "the account's balance")
    left = server.call("charging.ChargingService.GetBalance", {"tenant_name": "default"})
    same(amount(left.balance), 1000 - tenant_price, "the tenant's balance")
    payments = {
        "start_time": day["start_time"],
        "end_time": day["end_time"],
        "accounts_of_tenant": {"tenant_name": "default", "account_names": []},
    }
    found = server.call("charging.ChargingService.GetPaymentRecords", payments)
    paid = [Decimal("-0.25"), Decimal("500.25")]
    same([amount(one.amount) for one in found.results], paid, "payments, the newest first")
    same(amount(found.total), 500, "their sum")
    standing = server.call("user.UserService.GetUserStatus", {"tenant_name": "default", "user_id": "bob"})
    status = standing.account_statuses["physics"]
    same((status.account_blocked, amount(status.balance)), (False, 500 - account_price), "how bob stands")
    print("charged", account_price, "and", tenant_price, "for", job.time_used, "s")


def main():
    given = json.load(sys.stdin)
    server = Port(given["server"], "server", given["token"])
    portal = Port(given["portal"], "portal", given["token"])
    first_start(server)
    page_load(server)
    structure(server)
    prices(server)
    money_in(server)
    charged(server, run_a_job(server, portal))


main()
