#include "agent/cli/ctl/connection.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace sonde;
using cli::ctl::ConnectionFlags;
using cli::ctl::find_connection;
using Environment = std::map<std::string, std::string>;

namespace {

struct ConnectionFixture {
    tests::ScratchFolder folder;
    std::string flag_token = folder.write("flag-token", "of-the-flag\n");
    std::string file_token = folder.write("file-token", "of-the-file\n");
    std::string file = folder.write(
        "sonde.yaml", "ctl:\n  url: https://file.example.org\n  token_file: file-token\n");
};

}  // namespace

TEST_SUITE("cli/ctl/connection")
{
    TEST_CASE_FIXTURE(ConnectionFixture, "flag, environment, file, in this order")
    {
        struct Row {
            ConnectionFlags flags;
            Environment environment;
            std::string_view url;
            std::string_view token;
        };
        const Row table[] = {
            {{.config_file = file}, {}, "https://file.example.org", "of-the-file"},
            {{.config_file = file}, {{"SONDE_CTL_URL", "http://env:1"}}, "http://env:1",
                "of-the-file"},
            {{.config_file = file}, {{"SONDE_CTL_TOKEN", "of-env"}}, "https://file.example.org",
                "of-env"},
            {{.config_file = file}, {{"SONDE_CTL_TOKEN_FILE", flag_token}},
                "https://file.example.org", "of-the-flag"},
            {{.url = "http://flag:2", .token_file = flag_token, .config_file = file},
                {{"SONDE_CTL_URL", "http://env:1"}, {"SONDE_CTL_TOKEN", "of-env"}}, "http://flag:2",
                "of-the-flag"},
            {{.url = "http://flag:2/"}, {{"SONDE_CTL_TOKEN", "t"}}, "http://flag:2", "t"},
            {{.url = "http://flag:2/api/v1/"}, {{"SONDE_CTL_TOKEN", "t"}}, "http://flag:2", "t"},
            {{.url = "http://flag:2/sub/api/v1"}, {{"SONDE_CTL_TOKEN", "t"}}, "http://flag:2/sub",
                "t"},
        };
        for (const Row& row : table) {
            CAPTURE(row.url);
            const auto found = find_connection(row.flags, row.environment);
            CAPTURE(fmt::format("{}", fmt::join(found.problems, "\n")));
            CHECK(found.problems.empty());
            CHECK(found.connection.url == row.url);
            CHECK(found.connection.token.reveal() == row.token);
        }
    }

    TEST_CASE_FIXTURE(ConnectionFixture, "the usual file is below XDG_CONFIG_HOME, or HOME")
    {
        std::filesystem::create_directories(folder.path("xdg/sonde"));
        std::filesystem::create_directories(folder.path("home/.config/sonde"));
        folder.write("xdg/sonde/sonde.yaml", "ctl: {url: \"http://xdg\", token_file: t}\n");
        folder.write("xdg/sonde/t", "x");
        folder.write("home/.config/sonde/sonde.yaml", "ctl: {url: \"http://home\"}\n");
        const Environment homes{{"HOME", folder.path("home")}, {"SONDE_CTL_TOKEN", "t"}};
        CHECK(find_connection({}, homes).connection.url == "http://home");
        auto both = homes;
        both["XDG_CONFIG_HOME"] = folder.path("xdg");
        CHECK(find_connection({}, both).connection.url == "http://xdg");
        both["XDG_CONFIG_HOME"] = "relative";
        CHECK(find_connection({}, both).connection.url == "http://home");
    }

    TEST_CASE_FIXTURE(ConnectionFixture, "what is missing or wrong is said; a secret never")
    {
        struct Row {
            std::string text;
            Environment environment;
            std::string_view said;
        };
        const Row table[] = {
            {"", {}, "SONDE_CTL_URL"},
            {"ctl: {url: \"http://a\"}", {}, "there is no token"},
            {"ctl: {url: ftp://s3cret@a, token_file: flag-token}", {}, "is no absolute http"},
            {"ctl: {url: \"http://a\", token: s3cret}", {}, "token_file: PATH"},
            {"ctl: {url: \"http://a\", tokn_file: flag-token}", {}, "did you mean token_file?"},
            {"ctl: {url: \"http://a\", token_file: absent}", {}, "No such file"},
            {"ctl: 7", {}, "must be a mapping"},
            {"[ctl]", {}, "must be a mapping"},
            {"ctl: {", {}, "is no YAML"},
        };
        for (const Row& row : table) {
            CAPTURE(row.text);
            const auto found = find_connection(
                {.config_file = folder.write("wrong.yaml", row.text)}, row.environment);
            REQUIRE_FALSE(found.problems.empty());
            const std::string all = fmt::format("{}", fmt::join(found.problems, "\n"));
            CAPTURE(all);
            CHECK(all.find(row.said) != std::string::npos);
            CHECK(all.find("s3cret") == std::string::npos);
        }
    }

    TEST_CASE_FIXTURE(ConnectionFixture, "a token that others can read is used, with a warning")
    {
        std::filesystem::permissions(file_token, std::filesystem::perms{0644});
        const auto found = find_connection({.config_file = file}, {});
        CHECK(found.problems.empty());
        REQUIRE(found.warnings.size() == 1);
        CHECK(found.warnings.front().find("chmod 600") != std::string::npos);
    }
}
