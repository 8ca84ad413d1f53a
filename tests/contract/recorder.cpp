#include "tests/contract/recorder.h"

namespace sonde::contract {

void Recorder::note(const Request& request, const Reply& reply)
{
    if (paused_)
        return;
    exchanges_.push_back({request.method, request.path.substr(0, request.path.find('?')),
        request.body.value_or(""), reply.status, reply.body});
}

Recorder& recorder()
{
    static Recorder all;
    return all;
}

}  // namespace sonde::contract
