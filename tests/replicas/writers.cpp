#include "tests/replicas/writers.h"

#include "config/json.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <algorithm>
#include <set>

namespace sonde::tests {
namespace {

using nlohmann::json;

constexpr int after_failure_ms = 5;
constexpr std::size_t most_checks = 30;  // of a writer: a long run must not become a slow one

template <class Message>
Message read(const std::string& text)
{
    auto message = config::from_json<Message>(text);
    REQUIRE_MESSAGE(message.has_value(), text.substr(0, 500));
    return std::move(*message);
}

template <class Message>
std::map<std::int64_t, Message> read_list(const ApiClient& api, const std::string& resource)
{
    const auto answer = api.call("GET", resource);
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    const auto elements = config::split_json_list(answer.body);
    REQUIRE(elements.has_value());
    std::map<std::int64_t, Message> list;
    for (const std::string& element : *elements) {
        auto message = read<Message>(element);
        const std::int64_t id = message.id();
        list[id] = std::move(message);
    }
    return list;
}

/// A check as a user writes it, without what the API adds.
std::string as_written(pb::Check check)
{
    check.clear_id();
    check.clear_tenantid();
    check.clear_created();
    check.clear_modified();
    return config::write_json(check);
}

std::string as_written(const pb::Tenant& tenant)
{
    return fmt::format("status {} {}, remote {}", static_cast<int>(tenant.status()),
        tenant.reason(), tenant.metricsremote().url());
}

std::string as_written(const pb::Probe& probe)
{
    return probe.region();
}

bool runs_on(const Truth& truth, const pb::Check& check, std::int64_t probe)
{
    return check.enabled() && truth.tenant.status() == pb::ACTIVE &&
           std::find(check.probes().begin(), check.probes().end(), probe) != check.probes().end();
}

}  // namespace

Truth ask_for_truth(const ApiClient& api)
{
    Truth truth;
    truth.checks = read_list<pb::Check>(api, "check/list");
    truth.probes = read_list<pb::Probe>(api, "probe/list");
    const auto answer = api.call("GET", "tenant");
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    truth.tenant = read<pb::Tenant>(answer.body);
    return truth;
}

std::string difference(const Truth& truth, std::int64_t probe, const ProbeView& view)
{
    for (const auto& [id, check] : view.checks) {
        const auto found = truth.checks.find(id);
        if (found == truth.checks.end())
            return fmt::format("check {} was deleted", id);
        if (!runs_on(truth, found->second, probe))
            return fmt::format("check {} is not for this probe now", id);
        if (config::write_json(check) != config::write_json(found->second))
            return fmt::format("check {}: {} instead of {}", id, config::write_json(check),
                config::write_json(found->second));
    }
    for (const auto& [id, check] : truth.checks)
        if (runs_on(truth, check, probe) && !view.checks.contains(id))
            return fmt::format("check {} is missing", id);
    const auto tenant = view.tenants.find(truth.tenant.id());
    if (!view.checks.empty() &&
        (tenant == view.tenants.end() ||
            tenant->second.metricsremote().url() != truth.tenant.metricsremote().url()))
        return "the tenant's record is missing or old";
    if (view.probe.region() != truth.probes.at(probe).region())
        return "the probe's own data is old";
    return {};
}

/// One user: a thread, its random numbers, and the checks that nobody else touches.
class Writers::Writer {
public:
    Writer(Writers& all, std::size_t number, const Truth& before)
        : all_{all}, number_{number}, random_{all.options_.seed * 1000 + number},
          port_{number % all.options_.ports.size()}, tenant_{before.tenant}
    {
        for (const std::int64_t id : all.options_.probes)
            probes_[id].now = before.probes.at(id);
    }

    void run();
    void verify(const Truth& truth, std::set<std::string>& jobs, std::vector<std::string>& wrong);

    std::set<std::int64_t> lost_tokens;  ///< probes whose reset has an unknown outcome

private:
    std::size_t below(std::size_t limit)
    {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random_);
    }

    pb::Check check(const std::string& job, std::int64_t version);
    std::size_t living() const;
    Slot<pb::Check>* any_certain();  ///< null: there is none
    Outcome call(const std::string& method, const std::string& resource, const std::string& body);
    template <class Message>
    void settle(Slot<Message>& slot, Outcome outcome, Message after);

    void add();
    void update();
    void remove();
    void change_tenant();
    void change_probe();

    Writers& all_;
    const std::size_t number_;
    std::mt19937 random_;
    std::size_t port_;
    std::unique_ptr<ApiClient> api_;
    ApiClient::Answer answer_;  ///< the last
    std::int64_t version_ = 0;
    std::vector<Slot<pb::Check>> checks_;
    Slot<pb::Tenant> tenant_;  // it and probes are the first writer's alone
    std::map<std::int64_t, Slot<pb::Probe>> probes_;
};

void Writers::Writer::run()
{
    const bool first = number_ == 0;
    while (!all_.stopping_) {
        if (!api_)
            api_ = std::make_unique<ApiClient>(all_.options_.ports[port_], all_.options_.token);
        const std::size_t dice = below(100);
        if (first && dice < 12)
            change_tenant();
        else if (first && dice < 20)
            change_probe();
        else if (dice < 50 && living() < most_checks)
            add();
        else if (dice < 70)
            update();
        else
            remove();
    }
    api_.reset();
}

/// Everything in it says `version`.
pb::Check Writers::Writer::check(const std::string& job, std::int64_t version)
{
    pb::Check check;
    check.set_job(job);
    check.set_target(fmt::format("https://{}.example.org/{}", job, version));
    check.set_frequency(10'000 + version % 100'000);
    check.set_timeout(1'000 + version % 9'000);
    check.set_enabled(below(5) > 0);
    check.set_alertsensitivity("none");
    auto* const label = check.add_labels();
    label->set_name("revision");
    label->set_value(std::to_string(version));
    std::string body = std::to_string(version) + '.';
    const std::size_t size = below(all_.options_.body_bytes) + 1;
    while (body.size() < size)
        body += body;
    check.mutable_settings()->mutable_http()->set_body(body.substr(0, size));
    for (const std::int64_t probe : all_.options_.probes)
        if (below(2) == 0)
            check.add_probes(probe);
    if (check.probes().empty())
        check.add_probes(all_.options_.probes[below(all_.options_.probes.size())]);
    return check;
}

std::size_t Writers::Writer::living() const
{
    return static_cast<std::size_t>(std::count_if(checks_.begin(), checks_.end(),
        [](const Slot<pb::Check>& slot) { return !slot.now.job().empty(); }));
}

Writers::Slot<pb::Check>* Writers::Writer::any_certain()
{
    std::vector<Slot<pb::Check>*> certain;
    for (Slot<pb::Check>& slot : checks_)
        if (slot.certain() && !slot.now.job().empty())
            certain.push_back(&slot);
    return certain.empty() ? nullptr : certain[below(certain.size())];
}

Writers::Outcome Writers::Writer::call(
    const std::string& method, const std::string& resource, const std::string& body)
{
    answer_ = api_->call(method, resource, body);
    const Outcome outcome = all_.judge(answer_, fmt::format("{} {}", resource, body));
    if (answer_.status == 0) {  // another replica may be there
        api_.reset();
        port_ = (port_ + 1) % all_.options_.ports.size();
    }
    if (outcome != Outcome::done)
        ::poll(nullptr, 0, after_failure_ms);
    return outcome;
}

template <class Message>
void Writers::Writer::settle(Slot<Message>& slot, Outcome outcome, Message after)
{
    if (outcome == Outcome::unknown)
        slot.may_be = {slot.now, after};
    else if (outcome == Outcome::done)
        slot.now = std::move(after);
}

void Writers::Writer::add()
{
    pb::Check wanted = check(fmt::format("w{}-{}", number_, checks_.size()), ++version_);
    Slot<pb::Check> slot;
    const Outcome outcome = call("POST", "check/add", config::write_json(wanted));
    if (outcome == Outcome::done) {
        const auto saved = config::from_json<pb::Check>(answer_.body);
        if (!saved || as_written(*saved) != as_written(wanted))
            return all_.note("check/add answered " + answer_.body);
        wanted = *saved;
    }
    settle(slot, outcome, std::move(wanted));
    checks_.push_back(std::move(slot));
}

void Writers::Writer::update()
{
    Slot<pb::Check>* const slot = any_certain();
    if (slot == nullptr)
        return add();
    pb::Check wanted = check(slot->now.job(), ++version_);
    wanted.set_id(slot->now.id());
    wanted.set_tenantid(slot->now.tenantid());
    const Outcome outcome = call("POST", "check/update", config::write_json(wanted));
    if (outcome == Outcome::done) {
        const auto saved = config::from_json<pb::Check>(answer_.body);
        if (!saved || as_written(*saved) != as_written(wanted) ||
            saved->modified() <= slot->now.modified())
            return all_.note("check/update answered " + answer_.body);
        wanted = *saved;
    }
    settle(*slot, outcome, std::move(wanted));
}

void Writers::Writer::remove()
{
    Slot<pb::Check>* const slot = any_certain();
    if (slot == nullptr)
        return add();
    settle(*slot, call("DELETE", fmt::format("check/delete/{}", slot->now.id()), {}), pb::Check{});
}

void Writers::Writer::change_tenant()
{
    if (!tenant_.certain())
        return;
    const std::string version = std::to_string(++version_);
    pb::Tenant wanted = tenant_.now;
    json body = {{"id", tenant_.now.id()}};
    if (below(2) == 0) {
        const int code = below(5) == 0 ? 1 : 0;
        wanted.set_status(static_cast<pb::TenantStatus>(code));
        wanted.set_reason(version);
        body["status"] = {{"code", code}, {"reason", version}};
    } else {
        wanted.mutable_metricsremote()->set_url("https://m" + version + ".example.net/api/prom");
        body["metricsRemote"] = {{"name", "m"}, {"url", wanted.metricsremote().url()},
            {"username", "u"}, {"password", version}};
    }
    settle(tenant_, call("POST", "tenant/update", body.dump()), wanted);
}

void Writers::Writer::change_probe()
{
    const auto& all = all_.options_.probes;
    const std::int64_t id = all[below(all.size())];
    Slot<pb::Probe>& slot = probes_[id];
    if (!slot.certain() || lost_tokens.contains(id))
        return;
    const bool reset = all_.options_.reset_tokens && below(3) == 0;
    pb::Probe wanted = slot.now;
    wanted.set_region("R" + std::to_string(++version_));
    const json body = {{"id", id}, {"tenantId", slot.now.tenantid()}, {"name", slot.now.name()},
        {"region", wanted.region()}};
    const Outcome outcome =
        call("POST", reset ? "probe/update?reset-token=true" : "probe/update", body.dump());
    settle(slot, outcome, wanted);
    if (reset && outcome == Outcome::done)
        all_.options_.heard(id, json::parse(answer_.body).at("token"));
    if (reset && outcome == Outcome::unknown)
        lost_tokens.insert(id);
}

namespace {

/// What a thing is now must be what it was acknowledged to be; or, where nobody knows, one of what
/// it may be. @return whether it is.
template <class Slot, class Message>
bool adopt(Slot& slot, const Message& actual)
{
    const auto is = [&actual](
                        const Message& wanted) { return as_written(wanted) == as_written(actual); };
    const bool known =
        slot.certain() ? is(slot.now) : std::any_of(slot.may_be.begin(), slot.may_be.end(), is);
    slot.now = actual;
    slot.may_be.clear();
    return known;
}

}  // namespace

void Writers::Writer::verify(
    const Truth& truth, std::set<std::string>& jobs, std::vector<std::string>& wrong)
{
    std::map<std::string, pb::Check> by_job;
    for (const auto& [id, check] : truth.checks)
        by_job[check.job()] = check;
    for (std::size_t i = 0; i < checks_.size(); ++i) {
        const std::string job = fmt::format("w{}-{}", number_, i);
        jobs.insert(job);
        const auto found = by_job.find(job);
        const pb::Check actual = found == by_job.end() ? pb::Check{} : found->second;
        const std::string acknowledged = as_written(checks_[i].now);
        if (!adopt(checks_[i], actual))
            wrong.push_back(
                fmt::format("{}: is {}, was {}", job, as_written(actual), acknowledged));
    }
    if (number_ > 0)
        return;
    const std::string tenant = as_written(tenant_.now);
    if (!adopt(tenant_, truth.tenant))
        wrong.push_back(fmt::format("tenant: is {}, was {}", as_written(truth.tenant), tenant));
    for (auto& [id, slot] : probes_)
        if (!adopt(slot, truth.probes.at(id)))
            wrong.push_back(fmt::format("probe {}: is {}", id, truth.probes.at(id).region()));
}

Writers::Writers(Options options, const Truth& before) : options_{std::move(options)}
{
    for (std::size_t i = 0; i < options_.writers; ++i)
        writers_.push_back(std::make_unique<Writer>(*this, i, before));
}

Writers::~Writers()
{
    stop();
}

void Writers::start()
{
    stopping_ = false;
    for (const auto& writer : writers_)
        threads_.emplace_back([&each = *writer] { each.run(); });
}

void Writers::stop()
{
    stopping_ = true;
    for (std::thread& each : threads_)
        each.join();
    threads_.clear();
}

void Writers::await_acknowledged(std::size_t more)
{
    std::unique_lock lock{mutex_};
    const std::size_t before = acknowledged_;
    const bool reached = progress_.wait_for(
        lock, std::chrono::minutes{1}, [&] { return acknowledged_ >= before + more; });
    // None at all means that nobody answers; some, that the machine is slow.
    REQUIRE_MESSAGE(reached, (acknowledged_ - before)
                                 << " of " << more << " were acknowledged; odd: "
                                 << (odd_.empty() ? "none" : odd_.back()));
}

Writers::Outcome Writers::judge(const ApiClient::Answer& answer, const std::string& what)
{
    if (answer.status == 200) {
        const std::lock_guard lock{mutex_};
        ++acknowledged_;
        progress_.notify_all();
        return Outcome::done;
    }
    const bool unknown =
        answer.status == 0 ||
        (answer.status == 503 && answer.body.find("outcome unknown") != std::string::npos);
    if (unknown) {
        ++unknown_;
        return Outcome::unknown;
    }
    if (answer.status != 503)
        note(fmt::format("{} for {}: {}", answer.status, what.substr(0, 300), answer.body));
    return Outcome::not_done;
}

void Writers::note(std::string what)
{
    const std::lock_guard lock{mutex_};
    odd_.push_back(std::move(what));
}

std::vector<std::string> Writers::take_odd()
{
    const std::lock_guard lock{mutex_};
    return std::exchange(odd_, {});
}

std::vector<std::string> Writers::verify(const Truth& truth)
{
    std::vector<std::string> wrong;
    std::set<std::string> jobs;
    for (const auto& writer : writers_)
        writer->verify(truth, jobs, wrong);
    for (const auto& [id, check] : truth.checks)
        if (!jobs.contains(check.job()))
            wrong.push_back("nobody wrote " + check.job());
    return wrong;
}

void Writers::settle_tokens(const ApiClient& api)
{
    const Truth truth = ask_for_truth(api);
    for (const auto& writer : writers_)
        for (const std::int64_t id : std::exchange(writer->lost_tokens, {})) {
            pb::Probe probe = truth.probes.at(id);
            const auto answer =
                api.call("POST", "probe/update?reset-token=true", config::write_json(probe));
            REQUIRE_MESSAGE(answer.status == 200, answer.body);
            options_.heard(id, json::parse(answer.body).at("token"));
        }
}

}  // namespace sonde::tests
