// `sonde doctor`, the real program: what is right is found right, what is wrong is found with the
// line that mends it.
#include "tests/faults/program.h"
#include "tests/support/fake_control.h"
#include "tests/support/push_receiver.h"
#include "tests/support/test_ca.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <string_view>

using namespace sonde;
using nlohmann::json;

namespace {

struct Wanted {
    std::string_view subject;
    std::string_view state;
    std::string_view said;  ///< is part of it
    std::string_view fix;   ///< likewise; empty: nothing is to be done
};

bool has(const json& finding, const char* key, std::string_view part)
{
    return finding[key].get<std::string>().find(part) != std::string::npos;
}

bool fits(const json& finding, const Wanted& wanted)
{
    return finding["subject"] == wanted.subject && finding["state"] == wanted.state &&
           has(finding, "said", wanted.said) && has(finding, "fix", wanted.fix) &&
           wanted.fix.empty() == finding["fix"].get<std::string>().empty();
}

struct Doctor {
    tests::Program program;

    std::string token(const std::string& content) const
    {
        return program.folder().write("token", content);
    }

    json examine(const std::string& options, int* status = nullptr) const
    {
        program.configure(program.head() + options);
        const auto reply = program.run("doctor", {"-o", "json"});
        if (status != nullptr)
            *status = reply.status;
        const json report = json::parse(reply.body, nullptr, false);
        REQUIRE_MESSAGE(report.is_object(), reply.body);
        return report["findings"];
    }

    void finds(const std::string& options, std::initializer_list<Wanted> all) const
    {
        int status = 0;
        const json findings = examine(options, &status);
        CAPTURE(options);
        CAPTURE(findings.dump(1));
        for (const Wanted& wanted : all) {
            CAPTURE(wanted.subject);
            CAPTURE(wanted.said);
            CHECK(std::any_of(findings.begin(), findings.end(),
                [&](const json& finding) { return fits(finding, wanted); }));
            if (wanted.state == "bad")
                CHECK(status == 1);
        }
        CHECK(findings.dump().find("fake-token") == std::string::npos);
    }
};

std::string push_to(const std::string& url)
{
    return fmt::format("tenants: [{{metrics: {{push_url: \"{}\"}}}}]\nchecks: []\n", url);
}

}  // namespace

TEST_SUITE_BEGIN("faults/doctor");

TEST_CASE("where all is well it says so, line by line")
{
    const Doctor doctor;
    const tests::FakeControl control;
    const tests::PushReceiver remote;
    doctor.finds(fmt::format("api: {{address: \"127.0.0.1:{}\", tls: false, token_file: {}}}\n",
                     control.port(), doctor.token("fake-token")) +
                     push_to(remote.url("/metrics")),
        {{"config", "ok", "sonde.yaml", ""}, {"state", "ok", "can be written", ""},
            {"journal", "ok", "can be written", ""}, {"journal", "ok", "nothing was published", ""},
            {"api", "ok", "in plain text", ""}, {"token", "ok", "takes it", ""},
            {"remote", "ok", "tenants[0].metrics: answers 200", ""}});
    CHECK(control.seen().registered.empty());  // the session of a running agent is left alone
    CHECK(remote.totals().samples == 0);
}

TEST_CASE("the API: its token, its port, its name")
{
    const Doctor doctor;
    const tests::FakeControl control;
    const auto api = [&](const std::string& address, const char* more) {
        return fmt::format(
            "api: {{address: \"{}\", token_file: {}{}}}\n", address, doctor.token("wrong"), more);
    };
    const std::string here = fmt::format("127.0.0.1:{}", control.port());
    doctor.finds(api(here, ", tls: false"),
        {{"api", "ok", "in plain text", ""},
            {"token", "bad", "the API refuses it", "make a new probe token"}});
    doctor.finds(api(here, ""), {{"api", "bad", here, "api.tls: false"}});
    doctor.finds(api(fmt::format("127.0.0.1:{}", tests::free_port()), ""),
        {{"api", "bad", "connect", "host, port and firewall"}});
    doctor.finds(api("no-such-host.invalid:443", ""),
        {{"resolver", "bad", "no-such-host.invalid", "/etc/resolv.conf"},
            {"api", "bad", "no-such-host.invalid", "resolver"}});
}

TEST_CASE("TLS of an authority that is not known, until ca_file names it")
{
    const tests::TestCa authority;
    const tests::TestCa other;
    tests::Program plane;  // speaks gRPC and HTTP, both with TLS
    const auto identity =
        tests::write(plane.folder(), "server", authority.issue({.names = {"127.0.0.1"}}));
    const auto grpc_port = tests::free_port();
    const auto http_port = tests::free_port();
    plane.configure(
        plane.head() + fmt::format(R"(control:
  http: {{listen: ["127.0.0.1:{}"], tls_cert_file: {}, tls_key_file: {}}}
  grpc: {{listen: ["127.0.0.1:{}"]}}
  directory: {{version: 1}}
)",
                           http_port, identity.certificate_file, identity.key_file, grpc_port));
    plane.start();

    const Doctor doctor;
    const std::string good = doctor.program.folder().write("good.pem", authority.certificate());
    const std::string wrong = doctor.program.folder().write("wrong.pem", other.certificate());
    const std::string missing = doctor.program.folder().path("none.pem");
    const auto api = [&](const std::string& file) {
        return fmt::format("api: {{address: \"127.0.0.1:{}\", token_file: {}{}}}\n", grpc_port,
            doctor.token("a-token"), file.empty() ? "" : ", ca_file: " + file);
    };
    const auto publisher = [&](const std::string& file) {
        return push_to(fmt::format("https://127.0.0.1:{}/push", http_port)) +
               (file.empty() ? "" : fmt::format("publisher: {{ca_file: {}}}\n", file));
    };
    for (const std::string& file : {std::string{}, wrong, missing}) {
        doctor.finds(api(file), {{"api", "bad", "127.0.0.1", "api.ca_file"}});
        doctor.finds(publisher(file), {{"remote", "bad", "", "publisher.ca_file"}});
    }
    doctor.finds(api(good), {{"api", "ok", "with TLS", ""},
                                {"token", "bad", "the API refuses it", "make a new probe token"}});
    doctor.finds(publisher(good), {{"remote", "bad", "answers 404", "push_url"}});
    CHECK(plane.stop() == 0);
}

TEST_CASE("where results go: credentials, the way there, a proxy")
{
    const Doctor doctor;
    tests::PushReceiver remote;
    const std::string closed = fmt::format("http://127.0.0.1:{}", tests::free_port());
    const std::string proxy = fmt::format("publisher: {{proxy: \"{}\"}}\n", remote.url(""));
    remote.answer({.status = 401});
    doctor.finds(push_to(remote.url("/metrics")),
        {{"remote", "bad", "answers 401: the credentials are refused",
            "tenants[0].metrics.username and tenants[0].metrics.password"}});
    doctor.finds(
        push_to(closed + "/push"), {{"remote", "bad", "connect", "host, port and firewall"}});
    doctor.finds(
        push_to(remote.url("/metrics")) + fmt::format("publisher: {{proxy: \"{}\"}}\n", closed),
        {{"remote", "bad", "connect", "publisher.proxy"}});
    remote.answer({.status = 407});
    doctor.finds(push_to("http://remote.invalid/push") + proxy,
        {{"remote", "bad", "407", "publisher.proxy"}});
    doctor.finds(push_to("https://remote.invalid/push") + proxy,
        {{"remote", "bad", "CONNECT", "publisher.proxy"}});
}

TEST_CASE("a journal that cannot be written")
{
    const Doctor doctor;
    const std::string file = doctor.program.folder().write("in-the-way", "");
    doctor.finds(fmt::format("checks: []\njournal: {{directory: {}/journal}}\n", file),
        {{"state", "ok", "", ""}, {"journal", "bad", file, "writable"}});
    doctor.finds("checks: []\njournal: {enabled: false}\n",
        {{"journal", "warning", "lost with the process", "journal.enabled: true"}});
}

TEST_SUITE_END();
