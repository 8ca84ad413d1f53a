#include "tests/contract/http_client.h"

#include "agent/base/text.h"
#include "tests/contract/recorder.h"

#include <curl/curl.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace sonde::contract {
namespace {

using nlohmann::json;

constexpr long patience_s = 60;

std::size_t take_body(const char* data, std::size_t, std::size_t size, void* into)
{
    static_cast<Reply*>(into)->body.append(data, size);
    return size;
}

std::size_t take_header(const char* data, std::size_t, std::size_t size, void* into)
{
    auto& reply = *static_cast<Reply*>(into);
    const std::string_view line = text::trim({data, size});
    if (line.starts_with("HTTP/")) {
        reply.headers.clear();
        const auto code = line.find(' ');
        const auto phrase = line.find(' ', code + 1);
        reply.reason = phrase == std::string_view::npos ? "" : line.substr(phrase + 1);
    } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        reply.headers[text::lower(line.substr(0, colon))] = text::trim(line.substr(colon + 1));
    }
    return size;
}

/// RFC 9110 §15; Terraform reads the phrase.
std::string phrase_of(int status)
{
    static const std::map<int, std::string> phrases = {{200, "OK"}, {202, "Accepted"},
        {204, "No Content"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
        {404, "Not Found"}, {405, "Method Not Allowed"}, {409, "Conflict"},
        {413, "Payload Too Large"}, {415, "Unsupported Media Type"}, {500, "Internal Server Error"},
        {501, "Not Implemented"}, {503, "Service Unavailable"}};
    const auto found = phrases.find(status);
    return found == phrases.end() ? "a status that the API does not have" : found->second;
}

void check_headers(const Reply& reply)
{
    const auto header = [&](const char* name) {
        const auto found = reply.headers.find(name);
        return found == reply.headers.end() ? std::string{} : found->second;
    };
    CHECK(reply.reason == phrase_of(reply.status));
    CHECK(header("cache-control") == "no-store");
    CHECK(header("x-content-type-options") == "nosniff");
    CHECK(!header("x-request-id").empty());
    CHECK(header("location").empty());
    CHECK(header("content-type") == (reply.status == 204 ? "" : "application/json; charset=utf-8"));
    CHECK((header("www-authenticate") == "Bearer") == (reply.status == 401));
    CHECK(header("allow").empty() == (reply.status != 405 && reply.status != 204));
    CHECK(header("retry-after").empty() == (reply.status != 503));
}

/// `{code, msg, err}`, all of them there (spec 04 §1.8).
void check_error(const Reply& reply, const json& body)
{
    REQUIRE(body.is_object());
    CHECK(body.value("code", json{}) == json(reply.status));
    for (const char* const member : {"msg", "err"}) {
        const json text = body.value(member, json{});
        CHECK_MESSAGE((text.is_string() && !text.get<std::string>().empty()), member);
    }
}

void check_body(const Request& request, const Reply& reply)
{
    if (request.method == "HEAD" || reply.status == 204) {
        CHECK(reply.body.empty());
        return;
    }
    const json body = json::parse(reply.body, nullptr, false);
    REQUIRE(!body.is_discarded());
    if (reply.status >= 300)
        check_error(reply, body);
}

}  // namespace

struct HttpClient::State {
    CURL* easy = curl_easy_init();
    std::string base;

    ~State() { curl_easy_cleanup(easy); }

    void set_method(const Request& request) const
    {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        if (request.method == "HEAD")
            curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        if (request.body) {
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body->size()));
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body->c_str());
        }
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
};

HttpClient::HttpClient(std::uint16_t port) : state_{std::make_unique<State>()}
{
    state_->base = fmt::format("http://127.0.0.1:{}/api/v1/", port);
}

HttpClient::~HttpClient() = default;

Reply HttpClient::send(const Request& request) const
{
    CURL* const easy = state_->easy;
    curl_easy_reset(easy);
    state_->set_method(request);
    const std::string url = state_->base + request.path;
    curl_slist* lines = curl_slist_append(nullptr, "Expect:");
    lines = curl_slist_append(lines, "Content-Type:");  // or libcurl sends one of its own
    for (const std::string& header : request.headers)
        lines = curl_slist_append(lines, header.c_str());
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> owned{
        lines, &curl_slist_free_all};
    Reply reply;
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, patience_s);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &reply);
    const CURLcode done = curl_easy_perform(easy);
    INFO(request.method << " " << request.path);
    REQUIRE_MESSAGE(done == CURLE_OK, curl_easy_strerror(done));
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    CAPTURE(reply.status);
    CAPTURE(reply.body);
    check_headers(reply);
    check_body(request, reply);
    recorder().note(request, reply);
    return reply;
}

std::string bearer(const std::string& token)
{
    return "Authorization: Bearer " + token;
}

}  // namespace sonde::contract
