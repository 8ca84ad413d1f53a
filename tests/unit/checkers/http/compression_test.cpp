#include "tests/support/deflated.h"
#include "tests/support/http_rows.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::answer;
using tests::HttpFixture;
using tests::ok;

namespace {

const std::string plain = std::string(55, 'a') + std::string(55, 'b');

/// One stored block of RFC 7932 (§9.2: window 16, length 110) and the empty last one.
std::string brotli()
{
    return "\xd0\x06\x10" + plain + "\x03";
}

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: compression")
    {
        constexpr auto as_gzip = R"("compression": "gzip")";
        constexpr auto as_br = R"("compression": "br")";
        constexpr auto as_deflate = R"("compression": "deflate")";
        const std::string gzip = tests::deflated(plain, 31);
        const std::string zlib = tests::deflated(plain, 15);
        const std::string raw = tests::deflated(plain, -15);
        const std::string junk = "junk";
        const auto lengths = [](const std::string& sent, std::size_t body) {
            return fmt::format("status=200 regex=0 content={} body={}", sent.size(), body);
        };
        const std::string untouched = lengths(gzip, gzip.size());
        const std::string of_gzip = lengths(gzip, 110);
        const std::string of_zlib = lengths(zlib, 110);
        const std::string of_raw = lengths(raw, 110);
        const std::string cut = gzip.substr(0, gzip.size() - 6);
        check_rows(*this,
            {{"H10", "", {ok(gzip, "Content-Encoding: gzip\r\n")}, "", "", untouched},
                {"H11", "", {ok(plain, "Content-Encoding: identity\r\n")}, "", "",
                    "content=110 body=110"},
                {"identity", R"("compression": "identity")",
                    {ok(gzip, "Content-Encoding: gzip\r\n")}, "", "", untouched},
                {"H12", as_gzip, {ok(gzip)}, "", "", of_gzip},
                {"H12, two members", as_gzip, {ok(gzip + gzip)}, "", "", "body=220"},
                {"H13", as_br, {ok(brotli())}, "", "", "content=114 body=110"},
                {"H14", as_deflate, {ok(raw)}, "", "", of_raw},
                {"H15", as_deflate, {ok(zlib)}, "", "", of_zlib},
                {"H16", as_deflate, {ok(gzip)}, "http_decompress", "malformed", "body=0"},
                {"H17", as_gzip, {ok("plain text")}, "http_decompress", "malformed",
                    "status=200 regex=0 content=10"},
                {"H18", as_gzip, {ok(gzip + junk)}, "http_decompress", "malformed", "body=110"},
                {"H19", as_gzip, {ok(cut)}, "http_decompress", "truncated", "body=110"},
                {"H20", as_gzip, {answer(404, "no")}, "http_status http_decompress", "",
                    "status=404 content=2"},
                {"H21", R"("compression": "gzip", "method": "HEAD")",
                    {"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n"}, "", "", "content=34 body=0"},
                {"204, 304", R"("compression": "gzip", "validStatusCodes": [204, 304])",
                    {"HTTP/1.1 304 Not Modified\r\n\r\n"}, "", "", "content=0 body=0"},
                {"H22, gzip", as_gzip, {ok()}, "http_decompress", "malformed", "body=0"},
                {"H22, br", as_br, {ok()}, "http_decompress", "malformed", "body=0"},
                {"H22, deflate", as_deflate, {ok()}, "http_decompress", "malformed", "body=0"},
                {"H98, deflate", as_deflate, {ok(raw + junk)}, "", "", "body=110"},
                {"H98, deflate in zlib's frame", as_deflate, {ok(zlib + junk)}, "", "", "body=110"},
                {"H98, br", as_br, {ok(brotli() + junk)}, "http_decompress", "malformed",
                    "body=110"},
                {"patterns see the decoded body",
                    R"("compression": "gzip", "failIfBodyNotMatchesRegexp": ["^a{55}b{55}$"])",
                    {ok(gzip)}, "", "", "regex=0"},
                {"and none that cannot be decoded",
                    R"("compression": "gzip", "failIfBodyMatchesRegexp": ["a"])", {ok(cut)},
                    "http_decompress", "truncated", "regex=0"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "compression asks for nothing")
    {
        get({ok(brotli())}, R"("compression": "br")");
        CHECK(servers.back().received().front().find("Accept-Encoding") == std::string::npos);
    }
}
