#include "tests/support/api_client.h"

#include <curl/curl.h>

#include <stdexcept>
#include <utility>

namespace sonde::tests {
namespace {

constexpr long patience_s = 60;

std::size_t append(const char* data, std::size_t, std::size_t size, void* into)
{
    static_cast<std::string*>(into)->append(data, size);
    return size;
}

/// Before the first of several threads makes a handle.
void set_up_curl()
{
    static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (done != CURLE_OK)
        throw std::runtime_error{"libcurl cannot be set up"};
}

}  // namespace

struct ApiClient::State {
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    std::string base;

    ~State()
    {
        curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
    }
};

ApiClient::ApiClient(std::uint16_t port, std::string token) : state_{std::make_unique<State>()}
{
    set_up_curl();
    State& s = *state_;
    s.base = "http://127.0.0.1:" + std::to_string(port) + "/api/v1/";
    s.headers = curl_slist_append(s.headers, ("Authorization: Bearer " + token).c_str());
    s.headers = curl_slist_append(s.headers, "Content-Type: application/json");
    s.headers = curl_slist_append(s.headers, "Expect:");
    s.easy = curl_easy_init();
    curl_easy_setopt(s.easy, CURLOPT_HTTPHEADER, s.headers);
    curl_easy_setopt(s.easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(s.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s.easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(s.easy, CURLOPT_TIMEOUT, patience_s);
    curl_easy_setopt(s.easy, CURLOPT_WRITEFUNCTION, append);
}

ApiClient::~ApiClient() = default;

ApiClient::Answer ApiClient::call(
    const std::string& method, const std::string& resource, const std::string& body) const
{
    CURL* const easy = state_->easy;
    Answer answer;
    const std::string url = state_->base + resource;
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    if (method == "POST") {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.c_str());
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer.body);
    if (curl_easy_perform(easy) != CURLE_OK)
        return {};
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    return answer;
}

}  // namespace sonde::tests
