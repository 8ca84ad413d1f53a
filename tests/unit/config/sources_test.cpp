#include "config/agent_config.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;
using tests::with;

TEST_SUITE("config")
{
    TEST_CASE_FIXTURE(OptionsFile, "flag beats environment beats file; null is the default")
    {
        const std::string_view text = "checks: []\nlog: {level: error}\nprobe: {region: null}\n";
        CHECK(good(text).log.level == log::Level::error);
        options.environment["SONDE_LOG_LEVEL"] = "info";
        options.environment["SONDE_UNHEARD_OF"] = "ignored";
        CHECK(good(text).log.level == log::Level::info);
        options.overrides["log.level"] = "trace";
        CHECK(good(text).log.level == log::Level::trace);
        options.overrides["log.level"] = "loud";
        CHECK(problem(text).starts_with("command line: log.level: "));
        options.overrides.clear();
        options.environment["SONDE_LOG_LEVEL"] = "loud";
        CHECK(problem(text).starts_with("SONDE_LOG_LEVEL: log.level: "));
        options.environment.clear();
        options.overrides["log.lewel"] = "info";
        CHECK(problem(text) == "command line: log.lewel: is not an option");
    }

    TEST_CASE_FIXTURE(OptionsFile, "the environment can give a list and switch a part on")
    {
        options.environment = {{"SONDE_API_ADDRESS", "api.example.org:4031"},
            {"SM_AGENT_API_TOKEN", "t"}, {"SONDE_CHECKS_FILES", ""}};
        const auto config = good("");
        REQUIRE(config.api.has_value());
        CHECK(config.api->address.host == "api.example.org");
        options.environment = {
            {"SONDE_API_UNHEARD_OF", "x"}, {"SONDE_CONTROL_HTTP_LISTEN", "127.0.0.1:1, [::1]:2"}};
        const auto control = good("control: {directory: {}, http: {listen: \"localhost:9\"}}");
        CHECK_FALSE(control.api.has_value());
        CHECK(control.control->http.listen == std::vector<HostPort>{{"127.0.0.1", 1}, {"::1", 2}});
    }

    TEST_CASE_FIXTURE(OptionsFile, "variables are put in, other dollar signs are left alone")
    {
        options.environment["NAME_1"] = "x";
        CHECK(good(with("probe: {name: \"a${NAME_1}b$${NAME_1}c${secrets.y}d${NAME_1\"}"))
                  .probe.name == "axb${NAME_1}c${secrets.y}d${NAME_1");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a secret in clear text is refused and not repeated")
    {
        const auto api = [&](std::string_view token) {
            return problem(fmt::format("api: {{address: \"a:1\", {}}}", token));
        };
        options.environment["TOKEN"] = "from-environment";
        CHECK(
            api("token: hunter2") ==
            "sonde.yaml:1: api.token: is a secret in clear text: write token_file: PATH or token: "
            "${NAME}");
        CHECK(api("token: \"x${TOKEN}\"").find("clear text") != std::string::npos);
        CHECK(good("api: {address: \"a:1\", token: \"${TOKEN}\"}").api->token.reveal() ==
              "from-environment");
        options.allow_inline_secrets = true;
        const auto config = good("api: {address: \"a:1\", token: hunter2}");
        CHECK(config.api->token.reveal() == "hunter2");
        CHECK(fmt::to_string(config.api->token) == "<redacted>");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a secret comes from a file or a credential")
    {
        folder.write("api-token", "from-credential\n");
        folder.write("open", "x\n\n");
        std::filesystem::permissions(folder.path("open"), std::filesystem::perms{0644});
        const auto open = load("api: {address: \"a:1\", token_file: open}");
        CHECK(open.config.api->token.reveal() == "x\n");
        REQUIRE(open.warnings.size() == 1);
        CHECK(open.warnings[0] ==
              "sonde.yaml:1: api.token_file: open: others can read it: chmod 600");
        CHECK(problems("api: {address: \"a:1\", token_file: absent}").front() ==
              "sonde.yaml:1: api.token_file: absent: No such file or directory");
        CHECK(problems("api: {address: \"a:1\", token_file: \"credential:api-token\"}").front() ==
              "sonde.yaml:1: api.token_file: there is no CREDENTIALS_DIRECTORY to look into: give "
              "a path, or LoadCredential= in the unit");
        options.environment["CREDENTIALS_DIRECTORY"] = folder.path("");
        CHECK(good("api: {address: \"a:1\", token_file: \"credential:api-token\"}")
                  .api->token.reveal() == "from-credential");
        CHECK(good("api: {address: \"a:1\"}").api->token.reveal() == "from-credential");
        options.environment["T"] = "t";
        CHECK(problem("api: {address: \"a:1\", token: \"${T}\", token_file: open}") ==
              "sonde.yaml:1: api.token: is given together with token_file: keep one of them");
    }

    TEST_CASE_FIXTURE(OptionsFile, "the token of the API is looked for in the documented order")
    {
        folder.write("file", "5");
        folder.write("api-token", "6");
        const std::string_view text = "api: {address: \"a:1\", token_file: file}";
        options.environment = {{"SM_AGENT_API_TOKEN", "2"}, {"API_TOKEN", "3"},
            {"SONDE_API_TOKEN", "4"}, {"CREDENTIALS_DIRECTORY", folder.path("")}};
        options.overrides["api.token"] = "1";
        const auto token = [&] { return good(text).api->token.reveal(); };
        CHECK(token() == "1");
        options.overrides.clear();
        CHECK(token() == "2");
        options.environment.erase("SM_AGENT_API_TOKEN");
        CHECK(token() == "3");
        options.environment.erase("API_TOKEN");
        CHECK(token() == "4");
        options.environment.erase("SONDE_API_TOKEN");
        CHECK(token() == "5");
        CHECK(good("api: {address: \"a:1\"}").api->token.reveal() == "6");
    }

    TEST_CASE_FIXTURE(OptionsFile, "api wants an address and a token, or to be embedded")
    {
        CHECK(problems("api: {}").size() == 2);
        CHECK(problem("api: {embedded: true}") ==
              "sonde.yaml:1: api: embedded needs the section control in the same file: add it, or "
              "give address");
        CHECK(good("api: {embedded: true}\ncontrol: {directory: {}}").api->embedded);
        CHECK(problem("api: {embedded: true, address: \"a:1\"}\ncontrol: {directory: {}}") ==
              "sonde.yaml:1: api.embedded: is given together with address: keep one of them");
        options.environment["API_TOKEN"] = "t";
        CHECK(problem("api: {address: \":4031\"}") ==
              "sonde.yaml:1: api.address: must name a host and a port: host:port");
    }

    TEST_CASE("the environment of this process is read")
    {
        const auto variables = process_environment();
        REQUIRE(variables.contains("PATH"));
        CHECK(variables.at("PATH") == std::getenv("PATH"));
    }
}

}  // namespace
}  // namespace sonde::config
