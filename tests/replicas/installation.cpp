#include "tests/replicas/installation.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>

namespace sonde::tests {

Installation::Installation(const Options& options)
    : database{options.database}, resets_tokens_{options.writers.reset_tokens}
{
    for (std::size_t i = 0; i < options.replicas; ++i) {
        replicas.push_back(std::make_unique<ControlPlane>(database, options.max_backlog));
        replicas.back()->start();
    }
    token = register_tenant(*replicas.front());
    for (std::size_t i = 0; i < options.probes; ++i)
        add_probe(i);
    Writers::Options writing = options.writers;
    writing.token = token;
    writing.probes = probe_ids;
    for (const auto& replica : replicas)
        writing.ports.push_back(replica->http_port());
    writing.heard = [this](std::int64_t probe, const std::string& its_token) {
        const auto at = std::find(probe_ids.begin(), probe_ids.end(), probe) - probe_ids.begin();
        probes[static_cast<std::size_t>(at)]->use_token(its_token);
    };
    writers = std::make_unique<Writers>(writing, ask_for_truth(api()));
}

void Installation::add_probe(std::size_t number)
{
    const auto answer = api().call(
        "POST", "probe/add", fmt::format(R"({{"name": "probe-{}", "region": "EMEA"}})", number));
    REQUIRE_MESSAGE(answer.status == 200, answer.body);
    const auto added = nlohmann::json::parse(answer.body);
    probe_ids.push_back(added.at("probe").at("id"));
    probes.push_back(
        std::make_unique<ProbeClient>(added.at("token"), addresses(number % replicas.size())));
}

ApiClient Installation::api(std::size_t replica) const
{
    return {replicas[replica]->http_port(), token};
}

std::vector<std::string> Installation::addresses(std::size_t first) const
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i < replicas.size(); ++i)
        out.push_back(replicas[(first + i) % replicas.size()]->grpc_address());
    return out;
}

void Installation::is_consistent(std::size_t asked)
{
    writers->stop();
    const ApiClient user = api(asked);
    const Truth truth = ask_for_truth(user);
    for (const std::string& wrong : writers->verify(truth))
        FAIL_CHECK(wrong);
    for (const std::string& odd : writers->take_odd())
        FAIL_CHECK(odd);
    writers->settle_tokens(user);
    const Truth settled = ask_for_truth(user);
    for (std::size_t i = 0; i < probes.size(); ++i) {
        const auto same = [&](const ProbeView& view) {
            return difference(settled, probe_ids[i], view).empty();
        };
        const bool converged = probes[i]->await(same);
        const ProbeView view = probes[i]->view();
        CHECK_MESSAGE(converged, "probe " << probe_ids[i] << ": "
                                          << difference(settled, probe_ids[i], view) << "; "
                                          << view.last_end);
        for (const std::string& odd : view.odd)
            FAIL_CHECK(odd);
        if (!resets_tokens_)
            CHECK_MESSAGE(view.refused == 0, view.last_end);
    }
}

std::size_t number_from(const char* variable, std::size_t otherwise)
{
    const char* const asked = std::getenv(variable);
    return asked == nullptr ? otherwise : std::strtoul(asked, nullptr, 10);
}

unsigned seed()
{
    const auto chosen = static_cast<unsigned>(number_from("SONDE_SEED", std::random_device{}()));
    MESSAGE(fmt::format("SONDE_SEED={}", chosen));
    return chosen;
}

}  // namespace sonde::tests
