#pragma once

namespace verdict::test {

// Whether this build has a sanitizer, with which memory and time are not what they are without.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace verdict::test
