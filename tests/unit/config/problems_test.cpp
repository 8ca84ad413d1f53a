// Wrong files as people write them: each problem names file, line, key and the way out.
#include "config/locate.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;

struct Wrong {
    std::string_view text;
    std::string_view problem;  ///< behind "sonde.yaml:"
};

constexpr Wrong probes[] = {
    {"api:\n  address: sm-api.example.org\n  token: ${T}\n",
        "2: api.address: \"sm-api.example.org\" has no port: write host:port"},
    {"api:\n  address: a:1\n  tokn_file: x\n  token: ${T}\n",
        "3: api.tokn_file: is not an option; did you mean token_file?"},
    {"api:\n  address: a:1\n  token: hunter2\n",
        "3: api.token: is a secret in clear text: write token_file: PATH or token: ${NAME}"},
    {"api:\n  address: a:1\n  token: ${U}\n",
        "3: api.token: the environment variable U is not set; $${U} stands for the text itself"},
    {"api:\n  address: a:1\n  token: ${T}\n  step_aside: 500ms\n",
        "4: api.step_aside: must be at least 1s"},
    {"api:\n  address: a:1\n  token: ${T}\n  telemetry_every: 0s\n",
        "4: api.telemetry_every: must be at least 1s"},
    {"api:\n  address: a:1\n  token: ${T}\n  state_file: \"\"\n",
        "4: api.state_file: must be a path, or off"},
    {"api:\n  address: a:1\n  token: ${T}\n  max_message_bytes: 2GiB\n",
        "4: api.max_message_bytes: must lie between 1 and 2147483647"},
    {"checks: []\nprobe:\n  labels:\n    site: \"\"\n",
        "4: probe.labels.site: the value must have 1 to 128 bytes"},
    {"checks: []\ntenants:\n  - id: 0\n    events: {push_url: http://x/}\n",
        "3: tenants[0].id: must not be 0; the default is 1"},
    {"checks: []\ntenants:\n  - events: {push_url: http://x/}\n  - events: {push_url: http://y/}\n",
        "4: tenants[1].id: 1 is there twice: each tenant needs an id of its own"},
};

constexpr Wrong measuring[] = {
    {"checks: []\nschedule:\n  republish_every: 0s\n",
        "3: schedule.republish_every: must be at least 1s"},
    {"checks: []\ncheckers:\n  blocked_nets:\n    - 10.0.0.0/8\n    - 192.168.0.0\\16\n",
        "5: checkers.blocked_nets[1]: \"192.168.0.0\\16\" is not an IP address with a prefix, such "
        "as 10.0.0.0/8"},
    {"checks: []\ncheckers:\n  blocked_nets: 10.1.0.0/8\n",
        "3: checkers.blocked_nets: \"10.1.0.0/8\" has bits behind its prefix: write 10.0.0.0/8"},
    {"checks: []\ncheckers:\n  blocked_nets: [10.0.0.0/40]\n",
        "3: checkers.blocked_nets[0]: the prefix of \"10.0.0.0/40\" must lie between 0 and 32"},
    {"checks: []\ncheckers:\n  blocked_nets:\n    - [10.0.0.0/8]\n",
        "4: checkers.blocked_nets[0]: must be a list of single values"},
    {"checks: []\negress:\n  targets:\n    - 192.0.2.1:443\n",
        "4: egress.targets[0]: \"192.0.2.1:443\": begins with neither tcp:// nor ping://; write "
        "tcp://HOST:PORT or ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets:\n    - tcp://192.0.2.1\n",
        "4: egress.targets[0]: \"tcp://192.0.2.1\": has no host and port behind tcp://; write "
        "tcp://HOST:PORT or ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets: [\"tcp://2001:db8::1:443\"]\n",
        "3: egress.targets[0]: \"tcp://2001:db8::1:443\": has no host and port behind tcp://; "
        "write "
        "tcp://HOST:PORT or ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets: [\"tcp://a:0\"]\n",
        "3: egress.targets[0]: \"tcp://a:0\": port 0 cannot be asked; write tcp://HOST:PORT or "
        "ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets: [\"tcp://:443\"]\n",
        "3: egress.targets[0]: \"tcp://:443\": has no host name or address; write tcp://HOST:PORT "
        "or ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets: [\"ping://a:7\"]\n",
        "3: egress.targets[0]: \"ping://a:7\": has no host alone behind ping://; write "
        "tcp://HOST:PORT or ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets: [\"ping://::1\"]\n",
        "3: egress.targets[0]: \"ping://::1\": has no host alone behind ping://; write "
        "tcp://HOST:PORT or ping://HOST, IPv6 addresses in brackets"},
    {"checks: []\negress:\n  targets: [\"tcp://a:1\", \"ping://b\"]\n  quorum: 3\n",
        "4: egress.quorum: must be at most 2, the number of targets"},
    {"checks: []\negress:\n  quorum: 0\n", "3: egress.quorum: must be at least 1"},
    {"checks: []\negress:\n  timeout: 0s\n", "3: egress.timeout: must be at least 1ms"},
    {"checks: []\negress:\n  withhold_failures: no\n",
        "3: egress.withhold_failures: \"no\" is not true or false"},
};

constexpr Wrong publishing[] = {
    {"checks: []\npublisher:\n  request_timeout: 0s\n",
        "3: publisher.request_timeout: must be at least 1ms"},
    {"checks: []\npublisher:\n  max_queue_age: 0s\n",
        "3: publisher.max_queue_age: must be at least 1ms"},
    {"checks: []\njournal:\n  max_bytes: 1MiB\n", "3: journal.max_bytes: must be at least 16MiB"},
    {"checks: []\npublisher: {max_queue_bytes: 32MiB}\njournal:\n  max_bytes: 32MiB\n",
        "4: journal.max_bytes: must exceed publisher.max_queue_bytes, 32MiB"},
    {"checks: []\njournal:\n  max_age: 500ms\n", "3: journal.max_age: must be at least 1s"},
    {"checks: []\njournal:\n  directory: \"\"\n",
        "3: journal.directory: must not be empty; enabled: false switches the journal off"},
    {"checks: []\njournal:\n  sync_every: often\n",
        "3: journal.sync_every: \"often\" is not a duration such as 250ms, 15s, 5m, 1h or 365d"},
    {"checks: []\nstatus:\n  push_every: 10ms\n", "3: status.push_every: must be at least 1s"},
    {"checks: []\nstatus:\n  push_every: never\n",
        "3: status.push_every: \"never\" is not a duration such as 250ms, 15s, 5m, 1h or 365d, nor "
        "off"},
    {"checks: []\nstatus:\n  listen: localhost:http\n",
        "3: status.listen: \"localhost:http\": the port is not a number from 0 to 65535, or off"},
    {"checks: []\nstatus:\n  page: true\n", "3: status.page: not supported yet, only false"},
    {"checks: []\nstatus:\n  history: 5\n", "3: status.history: not supported yet: leave it out"},
    {"control:\n  directory: {}\n  http:\n    listen:\n      - localhost:1\n      - localhost\n",
        "6: control.http.listen[1]: \"localhost\" has no port: write host:port"},
    {"control:\n  directory: here\n",
        "2: control.directory: must be a mapping with version: 1 and organizations"},
};

TEST_SUITE("config/problems")
{
    TEST_CASE_FIXTURE(OptionsFile, "each wrong file is one problem, at its line, with the way out")
    {
        options.environment["T"] = "t";
        for (const auto& table : {std::span<const Wrong>{probes}, std::span<const Wrong>{measuring},
                 std::span<const Wrong>{publishing}})
            for (const Wrong& wrong : table) {
                CAPTURE(wrong.text);
                CHECK(problems(wrong.text).front() == fmt::format("sonde.yaml:{}", wrong.problem));
            }
    }

    TEST_CASE_FIXTURE(OptionsFile, "where a value came from can be asked later")
    {
        const std::string file = folder.write("sonde.yaml", "checks: []\n"
                                                            "status:\n"
                                                            "  listen: localhost:4050\n"
                                                            "api: {address: \"a:1\",\n"
                                                            "  token_file: token}\n"
                                                            "tenants:\n"
                                                            "  - id: 1\n"
                                                            "  - id: 2\n");
        options.overrides["log.level"] = "info";
        options.environment["SONDE_JOURNAL_DIRECTORY"] = "queue";
        const std::pair<std::string_view, std::string> table[] = {
            {"status.listen", file + ":3"},
            {"api.address", file + ":4"},
            {"api.token", file + ":5"},
            {"tenants[1].id", file + ":8"},
            {"tenants[2].id", file},
            {"control.database.url", file},
            {"status.listen.x", file},
            {"log.level", "command line"},
            {"journal.directory", "SONDE_JOURNAL_DIRECTORY"},
            {"", file},
        };
        for (const auto& [path, place] : table) {
            CAPTURE(path);
            CHECK(where(file, options, path) == place);
        }
        CHECK(located(file, options, "status.listen: address in use") ==
              file + ":3: status.listen: address in use");
        CHECK(located(file, options, "The disk is full: really") ==
              file + ": The disk is full: really");
        CHECK(located(file, options, "no colon") == file + ": no colon");
        CHECK(where("", {}, "status.listen") == "command line");
        CHECK(where(folder.path("absent"), {}, "log.level") == folder.path("absent"));
        CHECK(where(folder.write("broken", "a: ["), {}, "log.level") == folder.path("broken"));
    }
}

}  // namespace
}  // namespace sonde::config
