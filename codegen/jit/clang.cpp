/* C text to an object, by Clang's own classes: the only C++ of the project, since Clang's C API cannot generate code. */
#include "codegen/jit/parts.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <clang/Basic/Version.h>
#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Driver/Compilation.h>
#include <clang/Driver/Driver.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/TextDiagnosticPrinter.h>
#include <clang/Lex/PreprocessorOptions.h>
#include <clang/Serialization/ASTWriter.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/VirtualFileSystem.h>
#include <llvm/TargetParser/Host.h>
#pragma GCC diagnostic pop

namespace {

using Words = std::vector<std::string>;
using FileSystem = llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem>;

/* What Clang says, as text. */
struct Diagnosis {
  std::string text;
  llvm::raw_string_ostream stream{text};
  llvm::IntrusiveRefCntPtr<clang::DiagnosticOptions> options{new clang::DiagnosticOptions};
  clang::TextDiagnosticPrinter printer{stream, options.get()};
  llvm::IntrusiveRefCntPtr<clang::DiagnosticsEngine> engine{
      new clang::DiagnosticsEngine(new clang::DiagnosticIDs, options, &printer, false)};
};

/* The options of clang's compiler proper for the options of its driver; empty after a message. */
Words compiler_options(const Words &arguments, FileSystem files, Diagnosis &diagnosis) {
  clang::driver::Driver driver(LAMELLA_CLANG, llvm::sys::getDefaultTargetTriple(), *diagnosis.engine, "clang", files);
  driver.setCheckInputsExist(false);
  std::vector<const char *> pointers{LAMELLA_CLANG};
  for (const std::string &argument : arguments) pointers.push_back(argument.c_str());
  std::unique_ptr<clang::driver::Compilation> compilation(driver.BuildCompilation(pointers));
  if (!compilation || compilation->containsError() || compilation->getJobs().empty()) return {};
  const clang::driver::Command &job = *compilation->getJobs().begin();
  return Words(job.getArguments().begin(), job.getArguments().end());
}

/* The parser's state after a header, as bytes. */
class PrecompileAction : public clang::ASTFrontendAction {
 public:
  std::shared_ptr<clang::PCHBuffer> buffer = std::make_shared<clang::PCHBuffer>();
  clang::TranslationUnitKind getTranslationUnitKind() override { return clang::TU_Prefix; }
  bool hasASTFileSupport() const override { return false; }

 private:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance &instance, llvm::StringRef) override {
    return std::make_unique<clang::PCHGenerator>(instance.getPreprocessor(), instance.getModuleCache(), "", "", buffer,
                                                 llvm::ArrayRef<std::shared_ptr<clang::ModuleFileExtension>>(), false,
                                                 false);
  }
};

constexpr const char *HEADER = "/lamella/precompiled.h";
constexpr const char *PRECOMPILED = "/lamella/precompiled.pch";

/* Files in memory; relative paths mean the working directory, as on disk. */
llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> make_memory() {
  llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> memory(new llvm::vfs::InMemoryFileSystem);
  if (auto folder = llvm::vfs::getRealFileSystem()->getCurrentWorkingDirectory())
    memory->setCurrentWorkingDirectory(*folder);
  return memory;
}

void add_header(llvm::vfs::InMemoryFileSystem &memory) {
  memory.addFile(HEADER, 0, llvm::MemoryBuffer::getMemBuffer("#include <immintrin.h>\n"));
}

FileSystem overlay(llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> memory) {
  llvm::IntrusiveRefCntPtr<llvm::vfs::OverlayFileSystem> files(
      new llvm::vfs::OverlayFileSystem(llvm::vfs::getRealFileSystem()));
  files->pushOverlay(memory);
  return files;
}

/* Runs one action of the compiler proper on `options`. */
bool run(const Words &options, FileSystem files, Diagnosis &diagnosis, clang::FrontendAction &action, bool precompiled,
         std::unique_ptr<llvm::raw_pwrite_stream> output = nullptr) {
  clang::CompilerInstance instance;
  std::vector<const char *> pointers;
  for (size_t i = 1; i < options.size(); i++) pointers.push_back(options[i].c_str()); /* after -cc1 */
  if (!clang::CompilerInvocation::CreateFromArgs(instance.getInvocation(), pointers, *diagnosis.engine, LAMELLA_CLANG))
    return false;
  if (precompiled) {
    instance.getPreprocessorOpts().ImplicitPCHInclude = PRECOMPILED;
  }
  instance.getFrontendOpts().DisableFree = false;
  instance.getCodeGenOpts().DisableFree = false;
  instance.setVerboseOutputStream(llvm::nulls());
  instance.createDiagnostics(&diagnosis.printer, false);
  instance.createFileManager(files);
  instance.createSourceManager(instance.getFileManager());
  if (output) instance.setOutputStream(std::move(output));
  return instance.ExecuteAction(action) && !instance.getDiagnostics().hasErrorOccurred();
}

/* The driver's options that a source asks for. */
Words driver_options(const jit_source &source) {
  Words arguments{"-std=c11", "-O" + std::to_string(source.level), "-fPIC", "-D_POSIX_C_SOURCE=200809L"};
  if (source.debug) arguments.push_back("-g");
  if (source.openmp) arguments.push_back("-fopenmp");
  if (source.sanitize) arguments.insert(arguments.end(), {"-fsanitize=address,undefined", "-fno-sanitize-recover=all"});
  if (source.march) arguments.push_back(std::string("-march=") + source.march);
  arguments.insert(arguments.end(), source.arguments, source.arguments + source.argument_count);
  return arguments;
}

/* Headers of intrinsics by the options that they were parsed with. */
class Headers {
 public:
  using Text = std::shared_ptr<const std::string>;

  /* NULL where it cannot be made; the text then includes them itself. */
  Text find(const Words &arguments, cache *store) {
    /* The headers themselves have no part in the key, but for what stands for their packages. */
    hash key = hash_text({{0, 0}}, clang::getClangFullVersion().c_str());
    for (const std::string &argument : arguments) key = hash_text(key, argument.c_str());
    llvm::sys::fs::file_status status;
    if (!llvm::sys::fs::status("/usr/include/stdlib.h", status))
      key = hash_number(key, status.getLastModificationTime().time_since_epoch().count());
    std::lock_guard<std::mutex> lock(mutex);
    auto [place, is_new] = made.try_emplace({key.words[0], key.words[1]});
    if (is_new) place->second = make(arguments, key, store);
    return place->second;
  }

 private:
  Text make(Words arguments, hash key, cache *store) {
    size_t size;
    if (char *bytes = cache_read(store, key, &size)) {
      Text text = std::make_shared<const std::string>(bytes, size);
      free(bytes);
      return text;
    }
    auto memory = make_memory();
    add_header(*memory);
    FileSystem files = overlay(memory);
    Diagnosis diagnosis;
    arguments.insert(arguments.end(), {"-x", "c", "-c", HEADER});
    Words options = compiler_options(arguments, files, diagnosis);
    PrecompileAction action;
    if (options.empty() || !run(options, files, diagnosis, action, false) || !action.buffer->IsComplete) return nullptr;
    cache_write(store, key, action.buffer->Data.data(), action.buffer->Data.size());
    return std::make_shared<const std::string>(action.buffer->Data.data(), action.buffer->Data.size());
  }

  std::mutex mutex;
  std::map<std::pair<uint64_t, uint64_t>, Text> made;
};

Headers &headers() {
  static Headers the_headers;
  return the_headers;
}

void initialize() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
  });
}

void prepare(const jit_source *source) {
  initialize();
  headers().find(driver_options(*source), source->cache);
}

bool fail(char **message, const std::string &text) {
  *message = strdup(text.c_str());
  return false;
}

bool compile(const jit_source *source, jit_object *object, char **message) {
  initialize();
  Words arguments = driver_options(*source);
  auto memory = make_memory();
  memory->addFile(source->main.path, 0, llvm::MemoryBuffer::getMemBuffer(source->main.text));
  for (int i = 0; i < source->file_count; i++)
    memory->addFile(source->files[i].path, 0, llvm::MemoryBuffer::getMemBuffer(source->files[i].text));
  Headers::Text header;
  if (strstr(source->main.text, "#include <immintrin.h>")) header = headers().find(arguments, source->cache);
  if (header) {
    add_header(*memory);
    memory->addFile(PRECOMPILED, 0, llvm::MemoryBuffer::getMemBuffer(*header, "", false));
  }
  FileSystem files = overlay(memory);

  Diagnosis diagnosis;
  arguments.insert(arguments.end(), {source->output == JIT_ASSEMBLY ? "-S" : "-c", source->main.path});
  Words options = compiler_options(arguments, files, diagnosis);
  if (options.empty()) return fail(message, diagnosis.text);
  llvm::SmallVector<char, 0> bytes;
  std::unique_ptr<clang::FrontendAction> action;
  if (source->output == JIT_ASSEMBLY)
    action = std::make_unique<clang::EmitAssemblyAction>();
  else
    action = std::make_unique<clang::EmitObjAction>();
  if (!run(options, files, diagnosis, *action, header != nullptr, std::make_unique<llvm::raw_svector_ostream>(bytes)))
    return fail(message, diagnosis.text);
  object->bytes = static_cast<char *>(malloc(bytes.size() + 1));
  if (!object->bytes) return fail(message, "no memory for an object");
  memcpy(object->bytes, bytes.data(), bytes.size());
  object->bytes[bytes.size()] = 0;
  object->size = bytes.size();
  return true;
}

const char *version() {
  static const std::string text = clang::getClangFullVersion();
  return text.c_str();
}

const char *library() {
  Dl_info about;
  return dladdr(reinterpret_cast<void *>(&clang::getClangFullVersion), &about) && about.dli_fname ? about.dli_fname
                                                                                                  : "";
}

}  // namespace

const clang_part lamella_clang_part = {version, library, prepare, compile};
