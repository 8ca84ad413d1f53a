// Every field of the settings of our kinds changes what a run does: the same run without and with
// it looks different to its server or to its owner (spec 02 §10). A field that the schema gains
// needs a row.
#include "agent/base/text.h"
#include "tests/support/host_limits.h"
#include "tests/support/http_rows.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/scripted_dns.h"
#include "tests/support/tls_server.h"
#include "tests/support/tunnel_proxy.h"

#include <boost/algorithm/string/replace.hpp>
#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>

#include <list>
#include <map>
#include <set>

using namespace sonde;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
using Step = tests::ScriptedServer::Step;

constexpr auto both = "both.sonde.test";  // has an address of each family

struct OneSecret final : checkers::SecretSource {
    asio::awaitable<Result<std::string>> secret(std::string) override { co_return "s3cret"; }
};

/// Asks a server of its own each time and tells what there was to be seen, by the run's owner and
/// by the server.
struct FieldsFixture : tests::HttpFixture {
    tests::ScratchFolder folder;
    tests::TestCa authority;
    tests::Identity server = authority.issue({.names = {"127.0.0.1"}});
    tests::Identity client = authority.issue({.purpose = tests::LeafOptions::Purpose::client});
    OneSecret secret;
    std::list<tests::TlsServer> tls_servers;
    std::list<tests::TunnelProxy> proxies;
    std::list<tests::ScriptedDns> name_servers;

    FieldsFixture()
    {
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "127.0.0.1 both.sonde.test\n::1 both.sonde.test\n");
        files.resolv_conf = folder.write("resolv.conf", "nameserver 127.0.0.1\n");
        files.port = 1;  // nobody is there
        resolve_with(files);
        secrets = &secret;
    }

    /// What must be the same in two runs that differ in nothing.
    static std::string seen(
        const checkers::Report& report, std::uint16_t port, std::string received = "")
    {
        boost::replace_all(received, ":" + std::to_string(port), ":PORT");
        return fmt::format("{} {} {}\n{}", report.verdict.code, report.verdict.cause,
            report.address ? report.address->to_string() : "", received);
    }

    std::string base64_of(std::string_view name) const
    {
        const std::map<std::string_view, std::string> texts{
            {"ca", authority.certificate()}, {"cert", client.certificate}, {"key", client.key}};
        return text::base64(texts.at(name));
    }
    /// "{ca}", "{cert}" and "{key}" of a text are PEM in base64.
    std::string filled(std::string members) const
    {
        for (const std::string name : {"ca", "cert", "key"})
            boost::replace_all(members, "{" + name + "}", base64_of(name));
        return members;
    }
};

std::string tcp_settings(const std::string& members)
{
    return R"({"tcp": {)" + members + "}}";
}

std::string tcp_at(FieldsFixture& f, const std::string& host, const std::string& members)
{
    auto& at = f.serve(
        std::vector<tests::HttpFixture::Script>{{{"", "220 ready\n"}, {"\n", "250 done\n"}}});
    const auto report = f.run(fmt::format("{}:{}", host, at.port()), tcp_settings(members), 300ms);
    return f.seen(report, at.port(), at.received().empty() ? "" : at.received().back());
}

std::string tcp(FieldsFixture& f, const std::string& members)
{
    return tcp_at(f, "127.0.0.1", members);
}

std::string tcp_by_name(FieldsFixture& f, const std::string& members)
{
    return tcp_at(f, both, members);
}

std::string tls_seen(
    const FieldsFixture& f, const checkers::Report& report, const tests::TlsServer& at)
{
    return f.seen(report, at.port(), at.asked_for() + "\n" + at.received());
}

std::string tcp_tls(FieldsFixture& f, const std::string& members)
{
    auto& at = f.tls_servers.emplace_back(
        f.loop, tests::TlsOptions{f.server}, std::vector<Step>{{"\n", "250 inside\n"}});
    return tls_seen(f, f.run(at.address(), tcp_settings(members), 300ms), at);
}

std::string tcp_start_tls(FieldsFixture& f, const std::string& members)
{
    auto& at = f.tls_servers.emplace_back(f.loop, tests::TlsOptions{f.server}, std::vector<Step>{},
        std::vector<Step>{{"", "220 ready\n"}});
    return tls_seen(f, f.run(at.address(), tcp_settings(members), 300ms), at);
}

/// A server whose certificate names nobody but inner.test.
std::string tcp_inner(FieldsFixture& f, const std::string& members)
{
    auto& at = f.tls_servers.emplace_back(
        f.loop, tests::TlsOptions{f.authority.issue({.names = {"inner.test"}})});
    return tls_seen(f, f.run(at.address(), tcp_settings(members)), at);
}

std::string http_of(FieldsFixture& f, std::vector<std::string> answers, const std::string& members)
{
    auto& at = f.serve(answers);
    const auto report = f.run("http://" + at.address(), R"({"http": {)" + members + "}}");
    std::string received;
    for (const std::string& each : at.received())
        received += each;
    return f.seen(report, at.port(), received);
}

std::string http(FieldsFixture& f, const std::string& members)
{
    return http_of(f, {tests::ok("hello", "X-Test: 1\r\n")}, members);
}

std::string http_redirected(FieldsFixture& f, const std::string& members)
{
    return http_of(f, {tests::moved(302, "/x"), tests::ok()}, members);
}

std::string http_by_name(FieldsFixture& f, const std::string& members)
{
    auto& at = f.serve({tests::ok()});
    const auto report =
        f.run(fmt::format("http://{}:{}", both, at.port()), R"({"http": {)" + members + "}}");
    return f.seen(report, at.port());
}

std::string http_tls(FieldsFixture& f, const std::string& members)
{
    auto& at = f.tls_servers.emplace_back(
        f.loop, tests::TlsOptions{f.server}, std::vector<Step>{{tests::end_of_head, tests::ok()}});
    return tls_seen(f, f.run("https://" + at.address(), R"({"http": {)" + members + "}}"), at);
}

std::string http_inner(FieldsFixture& f, const std::string& members)
{
    auto& at = f.tls_servers.emplace_back(f.loop,
        tests::TlsOptions{f.authority.issue({.names = {"inner.test"}})},
        std::vector<Step>{{tests::end_of_head, tests::ok()}});
    return tls_seen(f, f.run("https://" + at.address(), R"({"http": {)" + members + "}}"), at);
}

/// "{proxy}" is a proxy to the target.
std::string http_proxied(FieldsFixture& f, const std::string& members)
{
    auto& at = f.tls_servers.emplace_back(f.loop,
        tests::TlsOptions{f.authority.issue({.names = {"shop.test"}})},
        std::vector<Step>{{tests::end_of_head, tests::ok()}});
    auto& proxy = f.proxies.emplace_back(f.loop, at.port());
    std::string settings = R"({"http": {)" + members + "}}";
    boost::replace_all(settings, "{proxy}", proxy.url());
    const auto report = f.run("https://shop.test", settings);
    std::string asked;
    for (const std::string& each : proxy.asked())
        asked += each;
    return f.seen(report, at.port(), asked);
}

/// A name server with a record in each section; the id of a query is not shown. `members` come last
/// and count.
std::string dns(FieldsFixture& f, const std::string& members)
{
    tests::DnsMessage says;
    says.answer = {{}};
    says.authority = {{.owner = "authority.test"}};
    says.additional = {{.owner = "additional.test"}};
    auto& at = f.name_servers.emplace_back(f.loop,
        [says](std::string_view query) { return std::vector{tests::dns_response(query, says)}; });
    const bool port = members.find("\"port\"") != std::string::npos;
    const bool named = members.find("\"server\"") != std::string::npos;
    const auto report =
        f.run("www.example.org", fmt::format(R"({{"dns": {{{}{}{}}}}})",
                                     port ? "" : fmt::format(R"("port": {}, )", at.port()),
                                     named ? "" : R"("server": "127.0.0.1", )", members));
    return f.seen(report, at.port(), at.received().empty() ? "" : at.received().back().substr(2));
}

/// Answers datagrams, and nothing else.
std::string dns_datagrams(FieldsFixture& f, const std::string& members)
{
    tests::DatagramServer at{f.loop, [](std::string_view query) {
                                 return std::vector{tests::dns_response(query, {.rcode = 0})};
                             }};
    const auto report = f.run("www.example.org",
        fmt::format(R"({{"dns": {{"server": "127.0.0.1", "port": {}, {}}}}})", at.port(), members));
    return f.seen(report, at.port());
}

std::string ping_at(FieldsFixture& f, const std::string& host, const std::string& members)
{
    const auto report = f.run(host, R"({"ping": {)" + members + "}}");
    return f.seen(report, 0) +
           std::to_string(tests::value_of(report, "probe_icmp_packets_sent_count"));
}

std::string ping(FieldsFixture& f, const std::string& members)
{
    return ping_at(f, "127.0.0.1", members);
}

std::string ping_by_name(FieldsFixture& f, const std::string& members)
{
    return ping_at(f, both, members);
}

/// Through an interface that takes 1500 bytes.
std::string ping_narrow(FieldsFixture& f, const std::string& members)
{
    const tests::PrivateNetwork network{1500, true};
    if (!network.ready())
        return members;
    return ping(f, members);
}

struct Row {
    std::string_view path;
    std::string (*ask)(FieldsFixture&, const std::string& members);
    std::string without;
    std::string with;
};

const Row rows[] = {
    {"ping.ipVersion", ping_by_name, "", R"("ipVersion": "V4")"},
    {"ping.sourceIpAddress", ping, "", R"("sourceIpAddress": "192.0.2.77")"},
    {"ping.payloadSize", ping_narrow, R"("dontFragment": true)",
        R"("dontFragment": true, "payloadSize": 2000)"},
    {"ping.dontFragment", ping_narrow, R"("payloadSize": 2000)",
        R"("payloadSize": 2000, "dontFragment": true)"},
    {"ping.packetCount", ping, "", R"("packetCount": 1)"},

    {"dns.ipVersion", dns, R"("server": "both.sonde.test")",
        R"("server": "both.sonde.test", "ipVersion": "V4")"},
    {"dns.sourceIpAddress", dns, "\"port\": 1", R"("port": 1, "sourceIpAddress": "192.0.2.77")"},
    {"dns.server", dns, R"("server": "127.0.0.1")", R"("server": "127.0.0.2")"},
    {"dns.port", dns, R"("protocol": "UDP")", R"("protocol": "UDP", "port": 1)"},
    {"dns.recordType", dns, R"("protocol": "UDP")", R"("protocol": "UDP", "recordType": "MX")"},
    {"dns.protocol", dns_datagrams, R"("protocol": "TCP")", R"("protocol": "UDP")"},
    {"dns.validRCodes", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validRCodes": ["NXDOMAIN"])"},
    {"dns.validateAnswer.failIfMatchesRegexp", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validateAnswerRRS": {"failIfMatchesRegexp": ["192"]})"},
    {"dns.validateAnswer.failIfNotMatchesRegexp", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validateAnswerRRS": {"failIfNotMatchesRegexp": ["193"]})"},
    {"dns.validateAuthority.failIfMatchesRegexp", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validateAuthorityRRS": {"failIfMatchesRegexp": ["^auth"]})"},
    {"dns.validateAuthority.failIfNotMatchesRegexp", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validateAuthorityRRS": {"failIfNotMatchesRegexp": ["^www"]})"},
    {"dns.validateAdditional.failIfMatchesRegexp", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validateAdditionalRRS": {"failIfMatchesRegexp": ["^add"]})"},
    {"dns.validateAdditional.failIfNotMatchesRegexp", dns, R"("protocol": "UDP")",
        R"("protocol": "UDP", "validateAdditionalRRS": {"failIfNotMatchesRegexp": ["^www"]})"},

    {"tcp.ipVersion", tcp_by_name, "", R"("ipVersion": "V4")"},
    {"tcp.sourceIpAddress", tcp, "", R"("sourceIpAddress": "192.0.2.77")"},
    {"tcp.tls", tcp_tls, "", R"("tls": true)"},
    {"tcp.tlsConfig.insecureSkipVerify", tcp_tls, R"("tls": true)",
        R"("tls": true, "tlsConfig": {"insecureSkipVerify": true})"},
    {"tcp.tlsConfig.CACert", tcp_tls, R"("tls": true)",
        R"("tls": true, "tlsConfig": {"caCert": "{ca}"})"},
    {"tcp.tlsConfig.clientCert", tcp_tls,
        R"("tls": true, "tlsConfig": {"caCert": "{ca}", "clientKey": "{key}"})",
        R"("tls": true, "tlsConfig": {"caCert": "{ca}", "clientKey": "{key}",
           "clientCert": "{cert}"})"},
    {"tcp.tlsConfig.clientKey", tcp_tls,
        R"("tls": true, "tlsConfig": {"caCert": "{ca}", "clientCert": "{cert}"})",
        R"("tls": true, "tlsConfig": {"caCert": "{ca}", "clientCert": "{cert}",
           "clientKey": "{key}"})"},
    {"tcp.tlsConfig.serverName", tcp_inner, R"("tls": true, "tlsConfig": {"caCert": "{ca}"})",
        R"("tls": true, "tlsConfig": {"caCert": "{ca}", "serverName": "inner.test"})"},
    {"tcp.queryResponse.send", tcp, R"("queryResponse": [{}, {"expect": "MjUw"}])",
        R"("queryResponse": [{"send": "RUhMTw=="}, {"expect": "MjUw"}])"},
    {"tcp.queryResponse.expect", tcp, R"("queryResponse": [{"send": "RUhMTw=="}])",
        R"("queryResponse": [{"send": "RUhMTw==", "expect": "NTU0"}])"},
    {"tcp.queryResponse.startTLS", tcp_start_tls, R"("queryResponse": [{"expect": "MjIw"}])",
        R"("queryResponse": [{"expect": "MjIw", "startTLS": true}])"},

    {"http.ipVersion", http_by_name, "", R"("ipVersion": "V4")"},
    {"http.method", http, "", R"("method": "PUT")"},
    {"http.headers", http, "", R"("headers": ["X-A: 1"])"},
    {"http.body", http, R"("method": "POST")", R"("method": "POST", "body": "five5")"},
    {"http.noFollowRedirects", http_redirected, "", R"("noFollowRedirects": true)"},
    {"http.tlsConfig.insecureSkipVerify", http_tls, "",
        R"("tlsConfig": {"insecureSkipVerify": true})"},
    {"http.tlsConfig.CACert", http_tls, "", R"("tlsConfig": {"caCert": "{ca}"})"},
    {"http.tlsConfig.clientCert", http_tls,
        R"("tlsConfig": {"caCert": "{ca}", "clientKey": "{key}"})",
        R"("tlsConfig": {"caCert": "{ca}", "clientKey": "{key}", "clientCert": "{cert}"})"},
    {"http.tlsConfig.clientKey", http_tls,
        R"("tlsConfig": {"caCert": "{ca}", "clientCert": "{cert}"})",
        R"("tlsConfig": {"caCert": "{ca}", "clientCert": "{cert}", "clientKey": "{key}"})"},
    {"http.tlsConfig.serverName", http_inner, R"("tlsConfig": {"caCert": "{ca}"})",
        R"("tlsConfig": {"caCert": "{ca}", "serverName": "inner.test"})"},
    {"http.basicAuth.username", http, R"("basicAuth": {})", R"("basicAuth": {"username": "u"})"},
    {"http.basicAuth.password", http, R"("basicAuth": {})", R"("basicAuth": {"password": "p"})"},
    {"http.bearerToken", http, "", R"("bearerToken": "t")"},
    {"http.proxyURL", http_proxied, R"("tlsConfig": {"caCert": "{ca}"})",
        R"("tlsConfig": {"caCert": "{ca}"}, "proxyURL": "{proxy}")"},
    {"http.oauth2Config", http, "", R"("oauth2Config": {})"},  // refused by name
    {"http.proxyConnectHeaders", http_proxied,
        R"("tlsConfig": {"caCert": "{ca}"}, "proxyURL": "{proxy}")",
        R"("tlsConfig": {"caCert": "{ca}"}, "proxyURL": "{proxy}",
           "proxyConnectHeaders": ["X-A: 1"])"},
    {"http.failIfSSL", http_tls, R"("tlsConfig": {"caCert": "{ca}"})",
        R"("tlsConfig": {"caCert": "{ca}"}, "failIfSSL": true)"},
    {"http.failIfNotSSL", http, "", R"("failIfNotSSL": true)"},
    {"http.validStatusCodes", http, "", R"("validStatusCodes": [404])"},
    {"http.validHTTPVersions", http, "", R"("validHTTPVersions": ["HTTP/1.0"])"},
    {"http.failIfBodyMatchesRegexp", http, "", R"("failIfBodyMatchesRegexp": ["hello"])"},
    {"http.failIfBodyNotMatchesRegexp", http, "", R"("failIfBodyNotMatchesRegexp": ["bye"])"},
    {"http.failIfHeaderMatchesRegexp.header", http,
        R"("failIfHeaderMatchesRegexp": [{"regexp": "2", "header": "X-Test"}])",
        R"("failIfHeaderMatchesRegexp": [{"regexp": "2", "header": "X-Other"}])"},
    {"http.failIfHeaderMatchesRegexp.regexp", http,
        R"("failIfHeaderMatchesRegexp": [{"header": "X-Test", "regexp": "2"}])",
        R"("failIfHeaderMatchesRegexp": [{"header": "X-Test", "regexp": "1"}])"},
    {"http.failIfHeaderMatchesRegexp.allowMissing", http,
        R"("failIfHeaderMatchesRegexp": [{"header": "X-Other", "regexp": "1"}])",
        R"("failIfHeaderMatchesRegexp": [{"header": "X-Other", "regexp": "1",
           "allowMissing": true}])"},
    {"http.failIfHeaderNotMatchesRegexp.header", http,
        R"("failIfHeaderNotMatchesRegexp": [{"regexp": "1", "header": "X-Test"}])",
        R"("failIfHeaderNotMatchesRegexp": [{"regexp": "1", "header": "X-Other"}])"},
    {"http.failIfHeaderNotMatchesRegexp.regexp", http,
        R"("failIfHeaderNotMatchesRegexp": [{"header": "X-Test", "regexp": "1"}])",
        R"("failIfHeaderNotMatchesRegexp": [{"header": "X-Test", "regexp": "2"}])"},
    {"http.failIfHeaderNotMatchesRegexp.allowMissing", http,
        R"("failIfHeaderNotMatchesRegexp": [{"header": "X-Other", "regexp": "1"}])",
        R"("failIfHeaderNotMatchesRegexp": [{"header": "X-Other", "regexp": "1",
           "allowMissing": true}])"},
    {"http.compression", http, "", R"("compression": "gzip")"},
    {"http.cacheBustingQueryParamName", http, "", R"("cacheBustingQueryParamName": "bust")"},
    {"http.secretManagerEnabled", http, R"("bearerToken": "${secrets.a}")",
        R"("bearerToken": "${secrets.a}", "secretManagerEnabled": true)"},
};

/// Names from the kind on; parts of a message have a path of their own.
void walk(const google::protobuf::Descriptor& type, const std::string& prefix,
    std::set<std::string>& into)
{
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        const std::string path = prefix + field.name();
        // OAuth 2 is refused as a whole.
        if (field.message_type() && field.message_type() != pb::OAuth2Config::descriptor())
            walk(*field.message_type(), path + '.', into);
        else
            into.insert(path);
    }
}

}  // namespace

TEST_SUITE("checkers/fields")
{
    TEST_CASE("there is a row for each field, and no other")
    {
        std::set<std::string> fields;
        walk(*pb::PingSettings::descriptor(), "ping.", fields);
        walk(*pb::DnsSettings::descriptor(), "dns.", fields);
        walk(*pb::TcpSettings::descriptor(), "tcp.", fields);
        walk(*pb::HttpSettings::descriptor(), "http.", fields);
        std::set<std::string> proven;
        for (const Row& row : rows)
            proven.emplace(row.path);
        for (const std::string& field : fields)
            CHECK_MESSAGE(proven.contains(field), "no row for " << field);
        for (const std::string& row : proven)
            CHECK_MESSAGE(fields.contains(row), "no such field: " << row);
    }

    TEST_CASE_FIXTURE(FieldsFixture, "each field changes what its owner or the server sees")
    {
        for (const Row& row : rows) {
            CAPTURE(row.path);
            const std::string without = row.ask(*this, filled(row.without));
            const std::string with = row.ask(*this, filled(row.with));
            CAPTURE(without);
            CHECK(with != without);
            const bool differs_by_itself = row.path == "http.cacheBustingQueryParamName";
            CHECK((differs_by_itself || row.ask(*this, filled(row.with)) == with));
        }
    }
}
