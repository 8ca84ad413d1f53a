#include "agent/cli/ctl/objects.h"

#include "agent/cli/cli.h"
#include "agent/cli/ctl/secret_file.h"
#include "agent/cli/ctl/table.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <ctime>
#include <optional>

namespace sonde::cli::ctl {

using Json = nlohmann::ordered_json;

int delete_each(const Common& common, Client& client, std::string_view sort,
    const std::vector<std::string>& named,
    const std::function<Result<std::int64_t>(const std::string&)>& id_of)
{
    int status = success;
    for (const std::string& one : named) {
        const auto id = id_of(one);
        if (!id) {
            status = complain(id.error().message, failure);
            continue;
        }
        const auto reply = client.call("DELETE", fmt::format("{}/delete/{}", sort, *id));
        const int ended = finish(common, reply, [&](const std::string&) {
            return is_id(one) ? fmt::format("deleted {} {}\n", sort, *id)
                              : fmt::format("deleted {} {} {}\n", sort, *id, printable(one));
        });
        status = ended == success ? status : ended;
        if (reply.hopeless())
            break;
    }
    return status;
}

std::string time_text(double seconds)
{
    if (!(seconds > 0 && seconds < 1e11))
        return {};
    return fmt::format("{:%Y-%m-%d %H:%M:%S}Z", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string text_member(std::string_view json, std::string_view name)
{
    const Json object = Json::parse(json, nullptr, false);
    const auto found = object.is_object() ? object.find(std::string{name}) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int call_for_token(const Common& common, const std::function<Reply()>& call,
    std::string_view member, const std::string& token_out,
    const std::function<std::string(const std::string& body)>& show)
{
    std::optional<SecretFile> file;
    if (!token_out.empty()) {
        auto prepared = SecretFile::prepare(token_out);
        if (!prepared)
            return complain(prepared.error().message, failure);
        file.emplace(std::move(*prepared));
    }
    Reply reply = call();
    const std::string token = text_member(reply.body, member);
    if (!reply.ok() || !file)
        return finish(common, reply, show);
    if (token.empty())
        return complain("the answer of the API has no token", failure);
    if (const auto written = file->write(token); !written) {
        complain(written.error().message + ": here is the token, which is told but once", failure);
        print(token + '\n');
        return failure;
    }
    Json shown = Json::parse(reply.body);
    for (auto& [name, value] : shown.items())
        if (value == token)
            value = "<secret>";
    reply.body = shown.dump();
    return finish(common, reply, show);
}

}  // namespace sonde::cli::ctl
