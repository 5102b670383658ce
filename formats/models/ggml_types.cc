// SPDX-License-Identifier: Apache-2.0
#include "formats/models/ggml_types.h"

namespace sealpack::models {
namespace {

constexpr GgmlType kTypes[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},      {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
};

struct FileType {
  std::uint32_t id;
  std::string_view name;
};
constexpr FileType kFileTypes[] = {
    {0, "all F32"},         {1, "mostly F16"},     {2, "mostly Q4_0"},    {3, "mostly Q4_1"},
    {7, "mostly Q8_0"},     {8, "mostly Q5_0"},    {9, "mostly Q5_1"},    {10, "mostly Q2_K"},
    {11, "mostly Q3_K_S"},  {12, "mostly Q3_K_M"}, {13, "mostly Q3_K_L"}, {14, "mostly Q4_K_S"},
    {15, "mostly Q4_K_M"},  {16, "mostly Q5_K_S"}, {17, "mostly Q5_K_M"}, {18, "mostly Q6_K"},
    {19, "mostly IQ2_XXS"}, {20, "mostly IQ2_XS"}, {21, "mostly Q2_K_S"}, {22, "mostly IQ3_XS"},
    {23, "mostly IQ3_XXS"}, {24, "mostly IQ1_S"},  {25, "mostly IQ4_NL"}, {26, "mostly IQ3_S"},
    {27, "mostly IQ3_M"},   {28, "mostly IQ2_S"},  {29, "mostly IQ2_M"},  {30, "mostly IQ4_XS"},
    {31, "mostly IQ1_M"},   {32, "mostly BF16"},   {36, "mostly TQ1_0"},  {37, "mostly TQ2_0"},
    {38, "mostly MXFP4"},
};

}  // namespace

const GgmlType* find_ggml_type(std::uint32_t id) {
  for (const GgmlType& type : kTypes) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

std::string_view ggml_file_type_name(std::uint32_t file_type) {
  for (const FileType& type : kFileTypes) {
    if (type.id == file_type) return type.name;
  }
  return {};
}

}  // namespace sealpack::models
