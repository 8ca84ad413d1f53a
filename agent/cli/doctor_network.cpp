// What `sonde doctor` asks of the network: the API with its token, the remotes with theirs.
#include "agent/base/text.h"
#include "agent/cli/doctor.h"

#include <curl/curl.h>

#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <string_view>

namespace sonde::cli {
namespace {

using State = Finding::State;

constexpr long limit_ms = 5000;
constexpr std::time_t tolerated_skew = 5;  // seconds

struct FreeCurl {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using List = std::unique_ptr<curl_slist, FreeCurl>;

struct Call {
    std::string url;
    std::vector<std::string> headers;
    std::string body;
    std::string username;
    std::string password;
    std::string ca_file;
    std::string connect_to;            ///< host and port, where the URL names others
    std::optional<std::string> proxy;  ///< absent: from the environment
    long http_version = CURL_HTTP_VERSION_1_1;
};

struct Answer {
    CURLcode failed = CURLE_OK;
    std::string why;  ///< it failed, or was refused
    long status = 0;
    long http_version = 0;
    bool stopped_by_proxy = false;
    std::string grpc_status;
    std::string grpc_message;
    std::time_t date = 0;  ///< of the peer's clock; 0: it did not say
};

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* into)
{
    auto& answer = *static_cast<Answer*>(into);
    const std::string_view line{data, size * count};
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return line.size();
    const std::string name = text::lower(line.substr(0, colon));
    const std::string value{text::trim(line.substr(colon + 1))};
    if (name == "grpc-status")
        answer.grpc_status = value;
    else if (name == "grpc-message")
        answer.grpc_message = value;
    else if (name == "date")
        answer.date = curl_getdate(value.c_str(), nullptr);
    return line.size();
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* into)
{
    auto& answer = *static_cast<Answer*>(into);
    if (answer.why.size() < 200)
        answer.why.append(data, size * count);
    return size * count;
}

void set_options(CURL* handle, const Call& call)
{
    curl_easy_setopt(handle, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(call.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call.body.data());
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, limit_ms);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, call.http_version);
    if (!call.username.empty()) {
        curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        curl_easy_setopt(handle, CURLOPT_USERNAME, call.username.c_str());
        curl_easy_setopt(handle, CURLOPT_PASSWORD, call.password.c_str());
    }
    if (!call.ca_file.empty()) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, call.ca_file.c_str());
        curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);  // else the system's would count too
    }
    if (call.proxy)
        curl_easy_setopt(handle, CURLOPT_PROXY, call.proxy->c_str());
}

List list_of(const std::vector<std::string>& lines)
{
    List list;
    for (const std::string& line : lines) {
        curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
        static_cast<void>(list.release());
        list.reset(longer);
    }
    return list;
}

Answer send(const Call& call)
{
    const std::unique_ptr<CURL, FreeCurl> handle{curl_easy_init()};
    Answer answer;
    const List headers = list_of(call.headers);
    const List places = list_of({"::" + call.connect_to});
    set_options(handle.get(), call);
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
    if (!call.connect_to.empty())
        curl_easy_setopt(handle.get(), CURLOPT_CONNECT_TO, places.get());
    curl_easy_setopt(handle.get(), CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(handle.get(), CURLOPT_HEADERDATA, &answer);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &answer);
    char problem[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, problem);
    answer.failed = curl_easy_perform(handle.get());
    if (answer.failed != CURLE_OK)
        answer.why = *problem != '\0' ? problem : curl_easy_strerror(answer.failed);
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(handle.get(), CURLINFO_HTTP_VERSION, &answer.http_version);
    long tunnel = 0;  // what the proxy said to CONNECT
    curl_easy_getinfo(handle.get(), CURLINFO_HTTP_CONNECTCODE, &tunnel);
    const bool by_proxy = call.proxy.has_value() && !call.proxy->empty();
    answer.stopped_by_proxy = (tunnel != 0 && tunnel / 100 != 2) ||
                              (by_proxy && answer.failed == CURLE_COULDNT_CONNECT) ||
                              answer.status == 407;
    return answer;
}

constexpr std::string_view fix_of_proxy =
    "check the proxy: publisher.proxy, or HTTPS_PROXY and NO_PROXY in the environment";

/// A fix for a call that did not come through.
std::string fix_of(const Answer& answer, std::string_view section)
{
    if (answer.stopped_by_proxy)
        return std::string{fix_of_proxy};
    switch (answer.failed) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "check the host name and the resolver";
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return std::string{fix_of_proxy};
    case CURLE_COULDNT_CONNECT:
        return "check host, port and firewall";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return fmt::format("name the authority's certificate in {}.ca_file", section);
    case CURLE_SSL_CONNECT_ERROR:
        return section == "api" ? "the port may be without TLS: then api.tls: false"
                                : "check that the port speaks TLS";
    case CURLE_OPERATION_TIMEDOUT:
        return "nobody answers in 5 s: check the route and the firewall";
    default:
        return section == "api"
                   ? "point api.address at the gRPC port; where it speaks TLS, api.tls: true"
                   : "check that an HTTP server listens there";
    }
}

std::optional<Finding> examine_skew(std::time_t theirs)
{
    if (theirs <= 0)
        return std::nullopt;
    const std::time_t skew = std::time(nullptr) - theirs;
    if (std::abs(skew) <= tolerated_skew)
        return std::nullopt;
    return Finding{"clock", State::bad,
        fmt::format(
            "is {} s {} that of the remote", std::abs(skew), skew > 0 ? "ahead of" : "behind"),
        "timedatectl set-ntp true: a remote refuses samples from another time"};
}

Finding judge_token(const Answer& answer)
{
    const std::string said = answer.grpc_message.empty() ? "" : ": " + answer.grpc_message;
    if (answer.status != 200)
        return {"api", State::bad,
            fmt::format("answers HTTP {} instead of gRPC: a web server or a proxy", answer.status),
            "point api.address at the gRPC port"};
    if (answer.grpc_status == "0")
        return {"token", State::ok, "the API takes it", {}};
    if (answer.grpc_status == "16" || answer.grpc_status == "7")
        return {"token", State::bad, "the API refuses it" + said,
            "make a new probe token and put it where api.token comes from"};
    if (answer.grpc_status == "12")
        return {"token", State::warning, "cannot be tried: this API has no pings", {}};
    return {"token", State::warning,
        fmt::format("the API answered with gRPC code {}{}", answer.grpc_status, said), {}};
}

Findings examine_remote(const config::RemoteConfig& remote,
    const config::PublisherConfig& publisher, std::string_view key)
{
    Call call{remote.push_url,
        {"Content-Type: application/x-protobuf", "Content-Encoding: snappy",
            "X-Prometheus-Remote-Write-Version: 0.1.0"},
        std::string(1, '\0'),  // a request without a series, in snappy's block format
        remote.username, remote.password.reveal(), publisher.ca_file, {}, publisher.proxy};
    const Answer answer = send(call);
    const std::string subject_said = fmt::format("{}: ", key);
    if (answer.failed != CURLE_OK)
        return {{"remote", State::bad, subject_said + answer.why, fix_of(answer, "publisher")}};
    Findings findings;
    if (answer.stopped_by_proxy)
        findings.push_back({"remote", State::bad,
            fmt::format("{}the proxy answers {}", subject_said, answer.status),
            std::string{fix_of_proxy}});
    else if (answer.status == 401 || answer.status == 403)
        findings.push_back({"remote", State::bad,
            fmt::format("{}answers {}: the credentials are refused", subject_said, answer.status),
            fmt::format("check {}.username and {}.password", key, key)});
    else if (answer.status == 404 || answer.status == 405 || answer.status / 100 == 3)
        findings.push_back({"remote", State::bad,
            fmt::format("{}answers {}: nothing takes pushes there", subject_said, answer.status),
            fmt::format("{}.push_url must be the complete URL of the push", key)});
    else if (answer.status >= 500)
        findings.push_back({"remote", State::warning,
            fmt::format("{}answers {}: it has trouble of its own", subject_said, answer.status),
            {}});
    else
        findings.push_back(
            {"remote", State::ok, fmt::format("{}answers {}", subject_said, answer.status), {}});
    if (auto skew = examine_skew(answer.date))
        findings.push_back(std::move(*skew));
    return findings;
}

}  // namespace

Findings examine_api(const config::AgentConfig& config)
{
    if (!config.api || config.api->embedded)
        return {};
    const config::ApiConfig& api = *config.api;
    HostPort named = api.address;
    if (!api.server_name.empty())
        named.host = api.server_name;
    Call call{fmt::format("{}://{}/synthetic_monitoring.Checks/Ping", api.tls ? "https" : "http",
                  named.text()),
        {"Content-Type: application/grpc", "TE: trailers",
            "Expect:", "Authorization: Bearer " + api.token.reveal()},
        std::string(5, '\0'),  // an empty message, not compressed
        {}, {}, api.ca_file, api.address.text(), std::nullopt,
        api.tls ? static_cast<long>(CURL_HTTP_VERSION_2TLS)
                : static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)};
    const Answer answer = send(call);
    if (answer.failed != CURLE_OK)
        return {{"api", State::bad, fmt::format("{}: {}", api.address.text(), answer.why),
            fix_of(answer, "api")}};
    if (answer.http_version != CURL_HTTP_VERSION_2)
        return {{"api", State::bad,
            fmt::format("{} speaks HTTP/1.1, gRPC needs HTTP/2", api.address.text()),
            "let the proxy before it speak h2, or point api.address at the gRPC port"}};
    Findings findings{{"api", State::ok,
        fmt::format("{} answers{}", api.address.text(), api.tls ? " with TLS" : ", in plain text"),
        {}}};
    findings.push_back(judge_token(answer));
    if (findings.back().subject == "api")
        findings.erase(findings.begin());
    return findings;
}

Findings examine_remotes(const config::AgentConfig& config)
{
    Findings findings;
    for (std::size_t i = 0; i < config.tenants.size(); ++i) {
        const config::TenantConfig& tenant = config.tenants[i];
        for (const auto& [key, remote] :
            {std::pair{"metrics", &tenant.metrics}, {"events", &tenant.events}}) {
            if (remote->push_url.empty())
                continue;
            for (Finding& finding :
                examine_remote(*remote, config.publisher, fmt::format("tenants[{}].{}", i, key)))
                findings.push_back(std::move(finding));
        }
    }
    if (config.api)
        findings.push_back({"remote", State::skipped,
            "those of the API's tenants are told to the running agent alone", {}});
    return findings;
}

}  // namespace sonde::cli
