/* Compiles C text to an object by Clang's own classes. This and a tool of the tests are the project's only C++, since
   Clang's C API cannot generate code. */
#include "codegen/jit/parts.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <clang/Basic/Version.h>
#include <clang/CodeGen/BackendUtil.h>
#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Driver/Compilation.h>
#include <clang/Driver/Driver.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/TextDiagnosticPrinter.h>
#include <clang/Lex/PreprocessorOptions.h>
#include <clang/Serialization/ASTWriter.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/VirtualFileSystem.h>
#include <llvm/TargetParser/Host.h>
#pragma GCC diagnostic pop

namespace {

using Words = std::vector<std::string>;

/* The path of clang in the folder that parts.h describes. No such file is needed: the driver finds headers relative to it. */
const std::string &clang_program() {
  static const char *const named = secure_getenv("LAMELLA_LLVM");
  static const std::string program = std::string(named && *named ? named : LAMELLA_LLVM) + "/bin/clang";
  return program;
}

using FileSystem = llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem>;

/* Clang's messages as text. */
struct Diagnosis {
  std::string text;
  llvm::raw_string_ostream stream{text};
  llvm::IntrusiveRefCntPtr<clang::DiagnosticOptions> options{new clang::DiagnosticOptions};
  clang::TextDiagnosticPrinter printer{stream, options.get()};
  llvm::IntrusiveRefCntPtr<clang::DiagnosticsEngine> engine{
      new clang::DiagnosticsEngine(new clang::DiagnosticIDs, options, &printer, false)};
};

/* The last command that clang's driver would run for these arguments: a program and its arguments. Empty after a
   message. */
Words driver_command(const Words &arguments, FileSystem files, Diagnosis &diagnosis) {
  clang::driver::Driver driver(clang_program(), llvm::sys::getDefaultTargetTriple(), *diagnosis.engine, "clang", files);
  driver.setCheckInputsExist(false);
  std::vector<const char *> pointers{clang_program().c_str()};
  for (const std::string &argument : arguments) pointers.push_back(argument.c_str());
  std::unique_ptr<clang::driver::Compilation> compilation(driver.BuildCompilation(pointers));
  if (!compilation || compilation->containsError() || compilation->getJobs().empty()) return {};
  const clang::driver::Command &job = *std::prev(compilation->getJobs().end());
  Words words{job.getExecutable()};
  words.insert(words.end(), job.getArguments().begin(), job.getArguments().end());
  return words;
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

/* A file system in memory. Relative paths are relative to the working directory, as on disk. */
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

/* Sets up the compiler proper for `options`; false after a message. */
bool set_up(clang::CompilerInstance &instance, const Words &options, FileSystem files, Diagnosis &diagnosis,
            bool precompiled) {
  std::vector<const char *> pointers;
  for (size_t i = 2; i < options.size(); i++) pointers.push_back(options[i].c_str()); /* the first two are clang -cc1 */
  if (!clang::CompilerInvocation::CreateFromArgs(instance.getInvocation(), pointers, *diagnosis.engine,
                                                 clang_program().c_str()))
    return false;
  if (precompiled) instance.getPreprocessorOpts().ImplicitPCHInclude = PRECOMPILED;
  instance.getFrontendOpts().DisableFree = false;
  instance.getCodeGenOpts().DisableFree = false;
  instance.setVerboseOutputStream(llvm::nulls());
  instance.createDiagnostics(&diagnosis.printer, false);
  instance.createFileManager(files);
  instance.createSourceManager(instance.getFileManager());
  return true;
}

bool execute(clang::CompilerInstance &instance, clang::FrontendAction &action) {
  return instance.ExecuteAction(action) && !instance.getDiagnostics().hasErrorOccurred();
}

/* --- A module in parts, which threads compile at once -------------------------------------------------------------------------- */

/* Whether each part keeps a copy: functions to be inlined, and literals whose address means nothing. */
bool is_copied(const llvm::Function &function) {
  return function.hasLocalLinkage() && (function.hasFnAttribute(llvm::Attribute::InlineHint) ||
                                        function.hasFnAttribute(llvm::Attribute::AlwaysInline));
}
bool is_copied(const llvm::GlobalVariable &variable) {
  return variable.isConstant() && variable.hasLocalLinkage() && variable.hasGlobalUnnamedAddr();
}

/* The part of each function that is in one part alone, by its name. Parts are successive pieces of the module, whose order
   follows the calls, and have about the same size. */
std::map<std::string, int> deal(const llvm::Module &module, int parts) {
  size_t total = 0, before = 0;
  for (const llvm::Function &function : module)
    if (!is_copied(function)) total += function.getInstructionCount();
  std::map<std::string, int> part_of;
  for (const llvm::Function &function : module) {
    if (function.isDeclaration() || is_copied(function)) continue;
    part_of[function.getName().str()] = static_cast<int>(before * static_cast<size_t>(parts) / (total + 1));
    before += function.getInstructionCount();
  }
  return part_of;
}

/* Makes a name visible to the other parts. */
void share(llvm::GlobalValue &value) {
  if (!value.hasLocalLinkage()) return;
  value.setLinkage(llvm::GlobalValue::ExternalLinkage);
  value.setVisibility(llvm::GlobalValue::HiddenVisibility);
  value.setDSOLocal(true);
}

/* Removes everything from the module that belongs to other parts. Variables belong to the first part. */
void keep_part(llvm::Module &module, const std::map<std::string, int> &part_of, int part) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration() || is_copied(function)) continue;
    share(function);
    if (part_of.at(function.getName().str()) == part) continue;
    function.deleteBody();
    function.setComdat(nullptr);
  }
  for (llvm::GlobalVariable &variable : module.globals()) {
    if (variable.isDeclaration() || is_copied(variable) || variable.hasAppendingLinkage()) continue;
    share(variable);
    if (part == 0) continue;
    if (variable.isConstant()) {
      variable.setLinkage(llvm::GlobalValue::AvailableExternallyLinkage);
    } else {
      variable.setInitializer(nullptr);
      variable.setLinkage(llvm::GlobalValue::ExternalLinkage);
    }
  }
}

using Bytes = llvm::SmallVector<char, 0>;

/* Compiles one part, from the bitcode of the whole module to an ELF file. */
void emit_part(const clang::CompilerInvocation &invocation, const std::string &layout, const Bytes &bitcode,
               const std::map<std::string, int> &part_of, int part, Bytes &object, Diagnosis &diagnosis) {
  llvm::LLVMContext context;
  auto parsed = llvm::getLazyBitcodeModule(
      llvm::MemoryBufferRef(llvm::StringRef(bitcode.data(), bitcode.size()), "part"), context);
  if (!parsed) {
    llvm::consumeError(parsed.takeError());
    return;
  }
  llvm::Module &module = **parsed;
  for (llvm::Function &function : module) /* bodies of other parts need not be read */
    if (!function.isDeclaration() && (is_copied(function) || part_of.at(function.getName().str()) == part))
      llvm::cantFail(function.materialize());
  keep_part(module, part_of, part);
  llvm::cantFail(module.materializeAll());
  clang::EmitBackendOutput(*diagnosis.engine, invocation.getHeaderSearchOpts(), invocation.getCodeGenOpts(),
                           invocation.getTargetOpts(), invocation.getLangOpts(), layout, &module,
                           clang::Backend_EmitObj, llvm::vfs::getRealFileSystem(),
                           std::make_unique<llvm::raw_svector_ostream>(object));
}

/* Compiles the text to several ELF files in a row. Empty after a message. */
Bytes compile_parts(const Words &options, FileSystem files, Diagnosis &diagnosis, bool precompiled,
                    const jit_source &source) {
  clang::CompilerInstance instance;
  if (!set_up(instance, options, files, diagnosis, precompiled)) return {};
  const bool disabled = instance.getCodeGenOpts().DisableLLVMPasses;
  instance.getCodeGenOpts().DisableLLVMPasses = true; /* the passes run on the parts */
  llvm::LLVMContext context;
  clang::EmitLLVMOnlyAction action(&context);
  if (!execute(instance, action)) return {};
  std::unique_ptr<llvm::Module> module = action.takeModule();
  instance.getCodeGenOpts().DisableLLVMPasses = disabled;
  const int threads = source.threads, parts = threads * 2;
  const std::map<std::string, int> part_of = deal(*module, parts);
  Bytes bitcode;
  llvm::raw_svector_ostream stream(bitcode);
  llvm::WriteBitcodeToFile(*module, stream);

  const std::string layout = module->getDataLayoutStr();
  std::vector<Bytes> objects(static_cast<size_t>(parts));
  std::vector<Diagnosis> diagnoses(static_cast<size_t>(parts));
  std::atomic<int> next{0};
  auto work = [&] {
    for (int part; (part = next++) < parts;)
      emit_part(instance.getInvocation(), layout, bitcode, part_of, part, objects[static_cast<size_t>(part)],
                diagnoses[static_cast<size_t>(part)]);
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads; i++) helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers) helper.join();
  Bytes all;
  for (int part = 0; part < parts; part++) {
    const Bytes &object = objects[static_cast<size_t>(part)];
    if (object.empty()) {
      diagnosis.text += "part " + std::to_string(part) + " of the program did not compile\n" +
                        diagnoses[static_cast<size_t>(part)].text;
      return {};
    }
    all.append(object.begin(), object.end());
    all.resize((all.size() + 15) / 16 * 16);
  }
  return all;
}

/* The driver's options for a source. The working directory does not influence the result. */
Words driver_options(const jit_source &source) {
  Words arguments{"-std=c11",     "-O" + std::to_string(source.level), "-fPIC",
                  "-fno-addrsig", "-ffile-compilation-dir=.",          "-D_POSIX_C_SOURCE=200809L"};
  if (source.debug) arguments.push_back("-g");
  if (source.openmp) arguments.push_back("-fopenmp");
  if (source.march) arguments.push_back(std::string("-march=") + source.march);
  arguments.insert(arguments.end(), source.arguments, source.arguments + source.argument_count);
  return arguments;
}

/* Hashes Clang's version and the options of the compiler proper, which the driver derives from ours, from the environment and
   from this machine (-march=native). */
hash hash_words(const Words &words) {
  hash key = hash_text({{0, 0}}, clang::getClangFullVersion().c_str());
  for (const std::string &word : words) key = hash_text(key, word.c_str());
  return key;
}

/* Precompiled headers of intrinsics, by the options that they were parsed with. */
class Headers {
 public:
  using Text = std::shared_ptr<const std::string>;

  /* NULL where they cannot be precompiled; the text then includes them itself. */
  Text find(Words arguments, cache *store) {
    auto memory = make_memory();
    add_header(*memory);
    FileSystem files = overlay(memory);
    Diagnosis diagnosis;
    arguments.insert(arguments.end(), {"-x", "c", "-c", HEADER});
    const Words options = driver_command(arguments, files, diagnosis);
    if (options.empty()) return nullptr;
    /* The headers themselves are not hashed; the time of one of them stands for their packages. */
    hash key = hash_words(options);
    llvm::sys::fs::file_status status;
    if (!llvm::sys::fs::status("/usr/include/stdlib.h", status))
      key = hash_number(key, status.getLastModificationTime().time_since_epoch().count());
    std::lock_guard<std::mutex> lock(mutex);
    auto [place, is_new] = made.try_emplace({key.words[0], key.words[1]});
    if (is_new) place->second = make(options, files, diagnosis, key, store);
    return place->second;
  }

 private:
  Text make(const Words &options, FileSystem files, Diagnosis &diagnosis, hash key, cache *store) {
    size_t size;
    if (char *bytes = cache_read(store, key, &size)) {
      Text text = std::make_shared<const std::string>(bytes, size);
      free(bytes);
      return text;
    }
    PrecompileAction action;
    clang::CompilerInstance instance;
    if (!set_up(instance, options, files, diagnosis, false) || !execute(instance, action) || !action.buffer->IsComplete)
      return nullptr;
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

/* The command that compiles a source. Empty after a message. */
Words source_command(const jit_source &source, FileSystem files, Diagnosis &diagnosis) {
  Words arguments = driver_options(source);
  arguments.insert(arguments.end(), {source.output == JIT_ASSEMBLY ? "-S" : "-c", source.main.path});
  return driver_command(arguments, files, diagnosis);
}

hash key(const jit_source *source) {
  Diagnosis diagnosis;
  hash key = hash_words(source_command(*source, llvm::vfs::getRealFileSystem(), diagnosis));
  key = hash_text(hash_text(key, source->main.path), source->main.text);
  for (int i = 0; i < source->file_count; i++)
    key = hash_text(hash_text(key, source->files[i].path), source->files[i].text);
  /* The march is hashed once more, since a wrong one gives no command. */
  return hash_text(hash_number(hash_number(key, source->file_count), source->threads), source->march);
}

bool compile(const jit_source *source, jit_object *object, char **message) {
  initialize();
  auto memory = make_memory();
  memory->addFile(source->main.path, 0, llvm::MemoryBuffer::getMemBuffer(source->main.text));
  for (int i = 0; i < source->file_count; i++)
    memory->addFile(source->files[i].path, 0, llvm::MemoryBuffer::getMemBuffer(source->files[i].text));
  Headers::Text header;
  if (strstr(source->main.text, "#include <immintrin.h>"))
    header = headers().find(driver_options(*source), source->cache);
  if (header) {
    add_header(*memory);
    memory->addFile(PRECOMPILED, 0, llvm::MemoryBuffer::getMemBuffer(*header, "", false));
  }
  FileSystem files = overlay(memory);

  Diagnosis diagnosis;
  const Words options = source_command(*source, files, diagnosis);
  if (options.empty()) return fail(message, diagnosis.text);
  Bytes bytes;
  if (source->output == JIT_OBJECT && source->threads > 1) {
    bytes = compile_parts(options, files, diagnosis, header != nullptr, *source);
  } else {
    std::unique_ptr<clang::FrontendAction> action;
    if (source->output == JIT_ASSEMBLY)
      action = std::make_unique<clang::EmitAssemblyAction>();
    else
      action = std::make_unique<clang::EmitObjAction>();
    clang::CompilerInstance instance;
    bool done = set_up(instance, options, files, diagnosis, header != nullptr);
    instance.setOutputStream(std::make_unique<llvm::raw_svector_ostream>(bytes));
    if (!done || !execute(instance, *action)) bytes.clear();
  }
  if (bytes.empty()) return fail(message, diagnosis.text);
  object->bytes = static_cast<char *>(malloc(bytes.size() + 1));
  if (!object->bytes) return fail(message, "no memory for an object");
  memcpy(object->bytes, bytes.data(), bytes.size());
  object->bytes[bytes.size()] = 0;
  object->size = bytes.size();
  return true;
}

char **link_command(const char *const *arguments, int count, char **message) {
  Diagnosis diagnosis;
  const Words words = driver_command(Words(arguments, arguments + count), llvm::vfs::getRealFileSystem(), diagnosis);
  if (words.empty()) {
    fail(message, diagnosis.text);
    return nullptr;
  }
  char **command = static_cast<char **>(calloc(words.size() + 1, sizeof *command));
  if (!command) abort();
  for (size_t i = 0; i < words.size(); i++) command[i] = strdup(words[i].c_str());
  return command;
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

/* There are no exceptions here, so a failing `new` would abort. */
[[noreturn]] void out_of_memory() {
  static const char message[] = "lamella: error: out of memory in the C compiler\n";
  if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(1);
  _exit(1);
}
const std::new_handler former_handler = std::set_new_handler(out_of_memory);
const bool handles = (llvm::install_bad_alloc_error_handler([](void *, const char *, bool) { out_of_memory(); }), true);

}  // namespace

const clang_part lamella_clang_part = {version, library, prepare, link_command, key, compile};
