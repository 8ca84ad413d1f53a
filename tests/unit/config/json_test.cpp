#include "config/json.h"
#include "config/schema.h"

#include <doctest/doctest.h>

#include <limits>

namespace sonde::config {
namespace {

template <class M>
std::string refusal(std::string_view text)
{
    const auto read = from_json<M>(text);
    REQUIRE(read.has_error());
    return read.error().message;
}

std::string nested(int depth)
{
    return "{\"x\":" + std::string(static_cast<std::size_t>(depth) - 1, '[') +
           std::string(static_cast<std::size_t>(depth) - 1, ']') + '}';
}

TEST_SUITE("config")
{
    TEST_CASE("text that is no JSON object is refused as a whole")
    {
        const std::pair<std::string, std::string> table[] = {
            {"", "body: not valid JSON"},
            {"{", "body: not valid JSON"},
            {"{} x", "body: not valid JSON"},
            {"{\"a\":1,}", "body: not valid JSON"},
            {"[]", "body: not a JSON object"},
            {"null", "body: not a JSON object"},
            {"\xEF\xBB\xBF{}", "body: begins with a byte-order mark"},
            {"{\"job\":\"\xFF\"}", "body: not valid UTF-8"},
            {"{\"job\":\"\\ud800\"}", "body: not valid JSON"},
            {"{\"x\":\"a\\u0000\"}", "body: the character U+0000 is not allowed"},
            {std::string{"{\"x\":\"a\0\"}", 9}, "body: not valid JSON"},
            {nested(65), "body: nested too deeply"},
            {"{\"created\":1e999}", "body: not valid JSON"},
        };
        for (const auto& [text, message] : table) {
            CAPTURE(text);
            const auto read = from_json<pb::Check>(text);
            REQUIRE(read.has_error());
            CHECK(read.error().reason == "bad_json");
            CHECK(read.error().message == message);
        }
    }

    TEST_CASE("depth 64, brackets in strings and an escaped backslash before u0000 are no trouble")
    {
        CHECK(from_json<pb::Check>(nested(64)).has_value());
        CHECK(from_json<pb::Check>("{\"job\":\"" + std::string(100, '[') + "\"}").has_value());
        const auto read = from_json<pb::Check>(R"({"job":"\\u0000 \" {"})");
        REQUIRE(read.has_value());
        CHECK(read->job() == "\\u0000 \" {");
    }

    TEST_CASE("a member of the wrong type is named with its path")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {R"({"frequency":"1"})", "frequency: is not a 64-bit integer"},
            {R"({"frequency":1.0})", "frequency: is not a 64-bit integer"},
            {R"({"frequency":1e3})", "frequency: is not a 64-bit integer"},
            {R"({"frequency":9223372036854775808})", "frequency: is not a 64-bit integer"},
            {R"({"frequency":99999999999999999999})", "frequency: is not a 64-bit integer"},
            {R"({"enabled":1})", "enabled: is not true or false"},
            {R"({"created":"1"})", "created: is not a number"},
            {R"({"job":null,"target":5})", "target: is not a string"},
            {R"({"labels":{}})", "labels: is not a list"},
            {R"({"labels":["x"]})", "labels[0]: is not an object"},
            {R"({"probes":[1,true]})", "probes[1]: is not a 64-bit integer"},
            {R"({"settings":{"http":[]}})", "settings.http: is not an object"},
            {R"({"settings":{"http":{"headers":["a: b",null]}}})",
                "settings.http.headers[1]: is not a string"},
            {R"({"settings":{"http":{"validStatusCodes":[200,2147483648]}}})",
                "settings.http.validStatusCodes[1]: is not a 32-bit integer"},
            {R"({"settings":{"dns":{"port":-2147483649}}})",
                "settings.dns.port: is not a 32-bit integer"},
            {R"({"settings":{"http":{"body":["a","b"]}}})",
                "settings.http.body: has more than one element"},
            {R"({"settings":{"ping":{"ipVersion":4}}})",
                "settings.ping.ipVersion: is not a string"},
            {R"({"settings":{"ping":{"ipVersion":"V5"}}})",
                "settings.ping.ipVersion: is not one of Any, V4, V6"},
            {R"({"settings":{"tcp":{"queryResponse":[{},{"send":"YQ"}]}}})",
                "settings.tcp.queryResponse[1].send: is not base64: its length is no multiple of "
                "four"},
        };
        for (const auto& [text, message] : table) {
            CAPTURE(text);
            CHECK(refusal<pb::Check>(text) == message);
        }
        CHECK(refusal<pb::Probe>(R"({"latitude":1e39})") == "latitude: is too large");
        CHECK(refusal<pb::Tenant>(R"({"labelMode":"1"})") == "labelMode: is not a 32-bit integer");
    }

    TEST_CASE("what may be left out, repeated, unknown or differently written is read")
    {
        const auto read = from_json<pb::Check>(R"({"id":-9223372036854775808,"job":"first",
            "job":"last","Target":"ignored","labels":null,"provider":{"any":["thing"]},
            "frequency":9223372036854775807,"timeout":-0,
            "settings":{"http":{"method":"post","ipVersion":"","compression":"GZIP",
                "body":["text"],"tlsConfig":{"caCert":"YW\r\nJj"}},"ping":null}})");
        REQUIRE(read.has_value());
        CHECK(read->id() == std::numeric_limits<std::int64_t>::min());
        CHECK(read->frequency() == std::numeric_limits<std::int64_t>::max());
        CHECK(read->job() == "last");
        CHECK(read->target().empty());
        CHECK_FALSE(read->settings().has_ping());
        const auto& http = read->settings().http();
        CHECK(http.method() == pb::POST);
        CHECK(http.ipversion() == pb::Any);
        CHECK(http.compression() == pb::gzip);
        CHECK(http.body() == "text");
        CHECK(http.tlsconfig().cacert() == "abc");
    }

    TEST_CASE("ignored members are not even looked at")
    {
        static constexpr std::string_view ignored[] = {"created", "probes"};
        const auto read = from_json<pb::Check>(
            R"({"created":"yesterday","probes":{},"job":"j"})", {.ignored = ignored});
        REQUIRE(read.has_value());
        CHECK(read->job() == "j");
    }

    TEST_CASE("a list in the text replaces the list that was there")
    {
        pb::Check check;
        check.add_probes(1);
        check.set_job("kept");
        REQUIRE(read_json(R"({"probes":[2,3]})", check).has_value());
        CHECK(check.probes_size() == 2);
        CHECK(check.job() == "kept");
    }

    TEST_CASE("the second spelling of a member counts like the first")
    {
        const auto alone = from_json<pb::DnsSettings>(
            R"({"validRCode":["NXDOMAIN"],"validateAditionalRRS":{"failIfMatchesRegexp":["x"]}})");
        REQUIRE(alone.has_value());
        CHECK(alone->validrcodes(0) == "NXDOMAIN");
        CHECK(alone->validateadditional().failifmatchesregexp(0) == "x");
        CHECK(
            from_json<pb::DnsSettings>(R"({"validRCodes":["A"],"validRCode":["A"]})").has_value());
        CHECK(from_json<pb::DnsSettings>(R"({"validRCodes":["A"],"validRCode":null})").has_value());
        CHECK(refusal<pb::DnsSettings>(R"({"validRCodes":["A"],"validRCode":["B"]})") ==
              "validRCodes: differs from validRCode");
    }

    TEST_CASE("of two differing spellings the one that repeats what is stored gives way")
    {
        pb::Check stored;
        stored.mutable_settings()->mutable_dns()->add_validrcodes("A");
        const auto result = [&](std::string_view ours, std::string_view theirs) {
            const auto text = fmt::format(
                R"({{"settings":{{"dns":{{"validRCodes":["{}"],"validRCode":["{}"]}}}}}})", ours,
                theirs);
            const auto read = from_json<pb::Check>(text, {.stored = &stored});
            return read ? read->settings().dns().validrcodes(0) : read.error().message;
        };
        CHECK(result("B", "A") == "B");
        CHECK(result("A", "B") == "B");
        CHECK(result("B", "C") == "settings.dns.validRCodes: differs from validRCode");
    }

    TEST_CASE("a check is printed in full, lists as lists, absent objects as null")
    {
        pb::Check check;
        check.set_id(9007199254740991);
        check.set_modified(1696236854.858741);
        check.mutable_settings()->mutable_ping();
        CHECK(write_json(check) ==
              R"({"id":9007199254740991,"tenantId":0,"frequency":0,"offset":0,"timeout":0,)"
              R"("enabled":false,"labels":[],"settings":{"ping":{"ipVersion":"Any",)"
              R"("dontFragment":false,"packetCount":0}},"probes":[],"target":"","job":"",)"
              R"("basicMetricsOnly":false,"alertSensitivity":"","channels":null,"created":0,)"
              R"("modified":1696236854.858741})");
    }

    TEST_CASE("settings leave out what is empty, but keep an object that was given")
    {
        pb::CheckSettings settings;
        auto& http = *settings.mutable_http();
        http.mutable_tlsconfig();
        http.add_validstatuscodes(200);
        CHECK(
            write_json(settings) ==
            R"({"http":{"ipVersion":"Any","method":"GET","noFollowRedirects":false,)"
            R"("tlsConfig":{},"failIfSSL":false,"failIfNotSSL":false,"validStatusCodes":[200]}})");
        pb::TcpSettings tcp;
        tcp.add_queryresponse()->set_send("a\n");
        CHECK(write_json(tcp) ==
              R"({"ipVersion":"Any","queryResponse":[{"send":"YQo=","expect":""}]})");
    }

    TEST_CASE("both spellings of a member are printed")
    {
        pb::DnsSettings dns;
        dns.add_validrcodes("NOERROR");
        CHECK(write_json(dns) ==
              R"({"ipVersion":"Any","server":"","port":0,"recordType":"ANY","protocol":"TCP",)"
              R"("validRCodes":["NOERROR"],"validRCode":["NOERROR"]})");
    }

    TEST_CASE("secrets of a tenant are never printed")
    {
        pb::Tenant tenant;
        tenant.mutable_metricsremote()->set_password("hunter2");
        tenant.mutable_secretstore()->set_token("hunter2");
        const std::string text = write_json(tenant);
        CHECK(text.find("hunter2") == std::string::npos);
        CHECK(text.find(R"("password":"<encrypted>")") != std::string::npos);
        CHECK(text.find(R"("token":"<encrypted>")") != std::string::npos);
        CHECK(text.find(R"("eventsRemote":null)") != std::string::npos);
        CHECK(text.find(R"("labelMode":0)") != std::string::npos);
    }

    TEST_CASE("numbers are the shortest plain decimals of their own width")
    {
        const std::pair<double, std::string_view> doubles[] = {
            {0.1, "0.1"},
            {1767225600.123456, "1767225600.123456"},
            {1e21, "1000000000000000000000"},
            {1e-7, "0.0000001"},
            {-2.5, "-2.5"},
            {std::numeric_limits<double>::infinity(), "null"},
        };
        for (const auto& [value, text] : doubles) {
            CAPTURE(value);
            pb::EntityRef entity;
            entity.set_lastmodified(value);
            CHECK(write_json(entity) == fmt::format(R"({{"id":0,"lastModified":{}}})", text));
        }
        pb::EntityRef extreme;
        extreme.set_lastmodified(-std::numeric_limits<double>::denorm_min());
        const auto back = from_json<pb::EntityRef>(write_json(extreme));
        REQUIRE(back.has_value());
        CHECK(back->lastmodified() == extreme.lastmodified());
        pb::Probe probe;
        probe.set_latitude(41.40338F);
        CHECK(write_json(probe).find(R"("latitude":41.40338,)") != std::string::npos);
        CHECK(
            write_json(probe).find(
                R"("capabilities":{"disableScriptedChecks":false,"disableBrowserChecks":false)") !=
            std::string::npos);
    }

    TEST_CASE("text is escaped, and repaired where it is not UTF-8")
    {
        pb::Label label;
        label.set_name("a\"\\\n\x01\xC3\xA4");
        label.set_value("\xFF");
        CHECK(write_json(label) ==
              "{\"name\":\"a\\\"\\\\\\n\\u0001\xC3\xA4\",\"value\":\"\xEF\xBF\xBD\"}");
    }

    TEST_CASE("what is written reads back to the same message")
    {
        pb::Check check;
        check.set_id(1);
        check.set_created(1767225600.123456);
        check.add_probes(-4);
        auto& label = *check.add_labels();
        label.set_name("team");
        label.set_value("\xC3\xA4 \"x\"");
        auto& entry = *check.mutable_settings()->mutable_multihttp()->add_entries();
        entry.mutable_request()->mutable_body()->set_payload(std::string{"\0\xFF", 2});
        entry.add_assertions()->set_type(pb::REGEX_ASSERTION);
        const auto back = from_json<pb::Check>(write_json(check));
        REQUIRE(back.has_value());
        CHECK(back->SerializeAsString() == check.SerializeAsString());
    }

    TEST_CASE("a list is split into texts of its elements")
    {
        const auto list = split_json_list(R"([{"id":1}, {"id":2,"x":[1]}])");
        REQUIRE(list.has_value());
        REQUIRE(list->size() == 2);
        CHECK((*list)[1] == R"({"id":2,"x":[1]})");
        REQUIRE(split_json_list("{}").has_error());
        CHECK(split_json_list("{}").error().message == "body: not a JSON array");
    }
}

}  // namespace
}  // namespace sonde::config
