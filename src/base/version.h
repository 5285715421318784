// version.h - the release that this is.
#pragma once

constexpr char kVersion[] = "0.1.0";
