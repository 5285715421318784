// version.h - the number of this release.
#pragma once

constexpr char kVersion[] = "0.1.0";
