#pragma once

#include "agent/base/text.h"
#include "agent/schedule/publish.h"
#include "tests/support/real_servers.h"
#include "tests/support/run_fixture.h"
#include "tests/support/test_ca.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sonde::tests {

/// What one run has published, and with which labels.
struct Published {
    exporters::Payload payload;
    std::shared_ptr<const schedule::Labelling> labels;
    std::string execution_id;
};

/// Runs checks of real servers once and publishes them as the probe of the golden files.
struct PublishedFixture : RunFixture {
    ScratchFolder folder;
    TestCa ca{"Test CA"};
    std::uint16_t http = free_port();
    std::uint16_t https = free_port();
    std::uint16_t closed = free_port();
    std::optional<Nginx> web;
    std::optional<Knot> dns;
    pb::Probe probe;

    PublishedFixture()
    {
        folder.write("1k", std::string(1024, 'x'));
        const auto files = write(folder, "server",
            ca.issue({.names = {"www.bench.test", "bench.test", "127.0.0.1"},
                .common_name = "www.bench.test"}));
        const std::string root = folder.path(".");
        web.emplace(folder,
            fmt::format("server {{ listen 127.0.0.1:{1}; listen 127.0.0.1:{2} ssl http2;\n"
                        "ssl_certificate {3}; ssl_certificate_key {4};\n"
                        "ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites "
                        "TLS_AES_128_GCM_SHA256; root {0};\n"
                        "location /gone {{ return 404 gone; }}\n"
                        "location /plain {{ return 200 plain; }} }}",
                root, http, https, files.certificate_file, files.key_file),
            http);
        dns.emplace(folder, "bench.test",
            "$TTL 300\n@ SOA ns.bench.test. h.bench.test. 1 3600 600 86400 300\n"
            "@ NS ns\nns A 127.0.0.1\nwww A 127.0.0.1\n");
        probe.set_id(1);
        probe.set_name("Frankfurt DC1");
        probe.set_region("EMEA");
        probe.set_latitude(50.1109F);
        probe.set_longitude(8.6821F);
        auto* label = probe.add_labels();
        label->set_name("site");
        label->set_value("fra");
    }

    /// `text` with the ports of the servers, and the like, in the place of "$HTTP".
    std::string resolved(std::string text, const std::string& context = {}) const
    {
        const std::pair<std::string, std::string> values[] = {{"$HTTPS", std::to_string(https)},
            {"$HTTP", std::to_string(http)}, {"$CLOSED", std::to_string(closed)},
            {"$DNS", std::to_string(dns->port())}, {"$CONTEXT", context},
            {"$CA", text::base64(ca.certificate())}};
        for (const auto& [name, value] : values)
            for (auto at = text.find(name); at != std::string::npos;
                at = text.find(name, at + value.size()))
                text.replace(at, name.size(), value);
        return text;
    }

    /// A check from JSON as in the API.
    static pb::Check check_of(const std::string& json)
    {
        pb::Check check;
        const auto read = config::read_json(json, check);
        REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
        return check;
    }

    Published publish(const pb::Check& check, const exporters::Tenant& tenant)
    {
        const auto prepared = checkers::make(check);
        checkers::Subject subject;
        subject.target = check.target();
        subject.timeout = std::chrono::milliseconds{check.timeout()};
        subject.check_id = check.id();
        subject.probe_id = probe.id();
        auto report = await(
            loop, checkers::run_once(*prepared.kind, *prepared.checker, net, options, subject));
        std::erase_if(report.log, [](const checkers::LogEntry& entry) {
            return entry.message == checkers::probe_was_late;  // it tells of this host, not of us
        });
        Published out;
        out.execution_id = schedule::new_execution_id();
        const schedule::LabelSource source{check, probe, prepared.kind->name};
        out.labels = std::make_shared<const schedule::Labelling>(
            source, prepared.kind->pointed_at(check), tenant);
        schedule::CheckSeries series{check.basicmetricsonly()};
        out.payload =
            schedule::to_payload(report, {out.labels, {}, {}, 0, out.execution_id}, series);
        return out;
    }
};

}  // namespace sonde::tests
