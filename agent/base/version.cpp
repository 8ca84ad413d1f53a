#include "agent/base/version.h"

namespace sonde::version {

const std::string_view number = SONDE_VERSION;
const std::string_view commit = SONDE_COMMIT;
const std::string_view built = SONDE_BUILT;

const std::string& user_agent()
{
    static const std::string text = "sonde/" SONDE_VERSION
#if defined(__aarch64__)
                                    " (linux arm64; "
#else
                                    " (linux amd64; "
#endif
        SONDE_COMMIT "; " SONDE_BUILT "; +https://github.com/sonde-project/sonde)";
    return text;
}

}  // namespace sonde::version
