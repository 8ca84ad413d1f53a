#include "tests/unit/agent/cli/cli_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::CliFixture;

TEST_SUITE("cli/token")
{
    TEST_CASE_FIXTURE(CliFixture, "token hash --stdin reads to the end")
    {
        // FIPS 180-2, B.1: the digest of "abc".
        CHECK(sonde({"token", "hash", "--stdin"}, "abc\n").out ==
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
        CHECK(sonde({"token", "hash", "--stdin"}, "abc\nd").out !=
              sonde({"token", "hash", "--stdin"}, "abc").out);
    }

    TEST_CASE_FIXTURE(CliFixture, "token new: a random token and the hash of just that")
    {
        const auto made = sonde({"token", "new"});
        CHECK(made.status == 0);
        CHECK(made.error == "");
        REQUIRE(made.out.starts_with("token: "));
        const auto token = made.out.substr(7, made.out.find('\n') - 7);
        CHECK(token.size() == 43);
        CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_") == std::string::npos);
        CHECK(made.out ==
              fmt::format("token: {}\nsha256: {}", token, sonde({"token", "hash"}, token).out));
        CHECK(sonde({"token", "new"}).out != made.out);
    }

    TEST_CASE_FIXTURE(CliFixture, "token new --token-out: the token goes to a file of ours alone")
    {
        const auto file = folder.path("token");
        const auto made = sonde({"token", "new", "--token-out", file});
        CHECK(made.status == 0);
        const auto token = tests::content_of(file);
        CHECK(token.size() == 44);
        CHECK(made.out == "sha256: " + sonde({"token", "hash"}, token).out);
        CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms{0077}) ==
              std::filesystem::perms::none);
        const auto nowhere = sonde({"token", "new", "--token-out", folder.path("no/where")});
        CHECK(nowhere.status == 1);
        CHECK(nowhere.out == "");
    }
}
