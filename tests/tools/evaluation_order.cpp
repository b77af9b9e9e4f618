/* evaluation_order BUILD FILE...

   Finds expressions whose meaning depends on an order that C leaves open: two arguments of one call, items of one
   list or operands of one operator that both change memory, as in build_binary(graph, OP_mul, build_unary(graph,
   ...), build_constant(graph, ...)), or of which one changes a local variable that the other reads, as in f(&x,
   g(&x), x). gcc evaluates the arguments of a call from right to left, clang from left to right, so what Lamella
   emits would depend on the compiler that it was built by. Prints each place, says on stderr how many functions it
   knows, and ends with status 1 if there are any places, 2 if a file does not compile. BUILD has the
   compile_commands.json.

   What a function changes is found out from all FILEs together: through which of its parameters it may write, and
   whether it writes to variables of the file. Memory that was just allocated does not count, as nothing else can
   see it, and neither do arenas: where memory lies is no part of a result. A function that is not in FILEs is taken
   to change what its parameters of types without const point to. That one part changes memory which another part
   reads through a pointer is not found. */
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <clang/AST/RecursiveASTVisitor.h>
#include <clang/Frontend/ASTUnit.h>
#include <clang/Tooling/CompilationDatabase.h>
#include <clang/Tooling/Tooling.h>
#pragma GCC diagnostic pop

namespace {

using namespace clang;

/* What an expression may write to: what parameters of the function around it lead to (by number), local variables, and
   other memory. */
struct Places {
  std::set<int> parameters;
  std::set<const VarDecl *> locals;
  bool other = false;
  bool shared() const { return other || !parameters.empty(); }
  bool any() const { return shared() || !locals.empty(); }
  void add(const Places &more) {
    parameters.insert(more.parameters.begin(), more.parameters.end());
    locals.insert(more.locals.begin(), more.locals.end());
    other |= more.other;
  }
};

/* What is known of a function so far. */
struct Summary {
  std::set<int> parameters;
  bool other = false, fresh = true; /* fresh: what it returns was allocated by it */
  bool operator!=(const Summary &o) const { return parameters != o.parameters || other != o.other || fresh != o.fresh; }
};

struct Definition {
  std::string name;
  const FunctionDecl *function;
  std::map<const VarDecl *, std::vector<const Expr *>>
      sources; /* of each local variable, all that it or its parts are set to */
};

std::map<std::string, Summary> summaries;
std::vector<Definition> definitions;

std::string name_of(const FunctionDecl *function) {
  std::string name = function->getNameAsString();
  if (function->getStorageClass() != SC_Static) return name;
  const SourceManager &sources = function->getASTContext().getSourceManager();
  return name + " of " + sources.getFilename(sources.getExpansionLoc(function->getLocation())).str();
}

/* Whether the type is struct arena or a pointer to one. */
bool is_arena(QualType type) {
  if (type->isPointerType()) type = type->getPointeeType();
  const auto *record = type->getAs<RecordType>();
  return record && record->getDecl()->getName() == "arena";
}

class Analysis {
 public:
  explicit Analysis(const Definition &definition) : definition(definition) {}

  /* The memory that the value of `x`, a pointer or something with pointers in it, leads to. That of an array is a
     pointer to itself. */
  Places leads_to(const Expr *x) {
    x = x->IgnoreParenCasts();
    Places places = held(x);
    if (x->getType()->isArrayType()) places.add(written(x));
    return places;
  }

  /* The memory that pointers in `x` lead to. */
  Places held(const Expr *x) {
    Places places;
    x = x->IgnoreParenCasts();
    if (is_arena(x->getType())) return places;
    if (const auto *reference = dyn_cast<DeclRefExpr>(x)) {
      const auto *variable = dyn_cast<VarDecl>(reference->getDecl());
      if (!variable) return places;
      if (const auto *parameter = dyn_cast<ParmVarDecl>(variable)) {
        places.parameters.insert((int)parameter->getFunctionScopeIndex());
      }
      if (!variable->isLocalVarDeclOrParm() || variable->isStaticLocal()) {
        places.other = true;
        return places;
      }
      if (!following.insert(variable).second) return places;
      auto found = definition.sources.find(variable);
      if (found != definition.sources.end())
        for (const Expr *source : found->second) places.add(leads_to(source));
      following.erase(variable);
      return places;
    }
    if (const auto *member = dyn_cast<MemberExpr>(x))
      return member->isArrow() ? leads_to(member->getBase()) : held(member->getBase());
    if (const auto *item = dyn_cast<ArraySubscriptExpr>(x)) {
      const Expr *base = item->getBase()->IgnoreParenImpCasts();
      return base->getType()->isArrayType() ? held(base) : leads_to(base);
    }
    if (const auto *unary = dyn_cast<UnaryOperator>(x)) {
      if (unary->isArithmeticOp()) return places;
      places = leads_to(unary->getSubExpr());
      if (unary->getOpcode() == UO_AddrOf) places.add(written(unary->getSubExpr()));
      return places;
    }
    if (const auto *binary = dyn_cast<BinaryOperator>(x)) {
      if (binary->isAssignmentOp() || binary->isCommaOp()) return leads_to(binary->getRHS());
      if (!x->getType()->isPointerType()) return places;
      places = leads_to(binary->getLHS());
      if (binary->getRHS()->getType()->isPointerType()) places.add(leads_to(binary->getRHS()));
      return places;
    }
    if (const auto *choice = dyn_cast<ConditionalOperator>(x)) {
      places = leads_to(choice->getTrueExpr());
      places.add(leads_to(choice->getFalseExpr()));
      return places;
    }
    if (const auto *literal = dyn_cast<CompoundLiteralExpr>(x)) return leads_to(literal->getInitializer());
    if (const auto *list = dyn_cast<InitListExpr>(x)) {
      for (const Expr *item : list->inits()) places.add(leads_to(item));
      return places;
    }
    if (const auto *call = dyn_cast<CallExpr>(x)) {
      const FunctionDecl *callee = call->getDirectCallee();
      if (callee) {
        auto found = summaries.find(name_of(callee));
        if (found != summaries.end() && found->second.fresh) return places;
        if (allocates(callee)) return places;
      }
      for (const Expr *argument : call->arguments())
        if (carries_pointer(argument->getType())) places.add(leads_to(argument));
      return places;
    }
    return places;
  }

  static bool allocates(const FunctionDecl *function) {
    return function->getName() == "arena_alloc" || function->getName() == "malloc" || function->getName() == "calloc";
  }
  static bool carries_pointer(QualType type) { return type->isPointerType() || type->isRecordType(); }

  /* What an assignment to `x` writes to. */
  Places written(const Expr *x) {
    Places places;
    x = x->IgnoreParenCasts();
    if (const auto *member = dyn_cast<MemberExpr>(x))
      return member->isArrow() ? leads_to(member->getBase()) : written(member->getBase());
    if (const auto *item = dyn_cast<ArraySubscriptExpr>(x)) {
      const Expr *base = item->getBase()->IgnoreParenImpCasts();
      return base->getType()->isArrayType() ? written(base) : leads_to(base);
    }
    if (const auto *unary = dyn_cast<UnaryOperator>(x)) return leads_to(unary->getSubExpr());
    if (const auto *reference = dyn_cast<DeclRefExpr>(x)) {
      const auto *variable = dyn_cast<VarDecl>(reference->getDecl());
      if (variable && variable->isLocalVarDeclOrParm() && !variable->isStaticLocal())
        places.locals.insert(variable);
      else
        places.other = true;
    }
    return places;
  }

  /* What evaluating this expression or statement writes to, itself and all in it. */
  Places effects(const Stmt *x) {
    Places places;
    if (!x) return places;
    if (const auto *unary = dyn_cast<UnaryOperator>(x)) {
      if (unary->isIncrementDecrementOp()) places.add(written(unary->getSubExpr()));
    } else if (const auto *binary = dyn_cast<BinaryOperator>(x)) {
      if (binary->isAssignmentOp()) places.add(written(binary->getLHS()));
    } else if (const auto *call = dyn_cast<CallExpr>(x)) {
      places.add(of_call(call));
    } else if (isa<UnaryExprOrTypeTraitExpr>(x)) {
      return places;
    }
    for (const Stmt *inner : x->children()) places.add(effects(inner));
    return places;
  }

  Places of_call(const CallExpr *call) {
    Places places;
    const FunctionDecl *callee = call->getDirectCallee();
    if (callee && (callee->isNoReturn() || allocates(callee))) return places;
    auto found = callee ? summaries.find(name_of(callee)) : summaries.end();
    for (unsigned i = 0; i < call->getNumArgs(); i++) {
      const Expr *argument = call->getArg(i);
      QualType type = callee && i < callee->getNumParams() ? callee->getParamDecl(i)->getType() : argument->getType();
      if (is_arena(type)) continue;
      bool writes = found != summaries.end() ? found->second.parameters.count((int)i) > 0
                    : callee && i >= callee->getNumParams()
                        ? false
                        : type->isPointerType() && !type->getPointeeType().isConstQualified() &&
                              !type->getPointeeType()->isFunctionType();
      if (writes) places.add(leads_to(argument));
    }
    if (found != summaries.end()) places.other |= found->second.other;
    return places;
  }

  Summary summary() {
    Summary result;
    Places places = effects(definition.function->getBody());
    result.parameters = places.parameters;
    result.other = places.other;
    if (definition.function->getReturnType()->isPointerType())
      returns(definition.function->getBody(), &result);
    else
      result.fresh = false;
    return result;
  }

 private:
  void returns(const Stmt *x, Summary *result) {
    if (!x) return;
    if (const auto *statement = dyn_cast<ReturnStmt>(x))
      if (statement->getRetValue() && leads_to(statement->getRetValue()).any()) result->fresh = false;
    for (const Stmt *inner : x->children()) returns(inner, result);
  }

  const Definition &definition;
  std::set<const VarDecl *> following;
};

/* Collects, of one function, what its variables are set to. */
class Sources : public RecursiveASTVisitor<Sources> {
 public:
  explicit Sources(Definition *definition) : definition(definition) {}
  bool VisitVarDecl(VarDecl *variable) {
    if (variable->hasInit() && Analysis::carries_pointer(base_type(variable->getType())))
      definition->sources[variable].push_back(variable->getInit());
    return true;
  }
  bool VisitBinaryOperator(BinaryOperator *binary) {
    if (!binary->isAssignmentOp() || !Analysis::carries_pointer(binary->getRHS()->getType())) return true;
    const Expr *x = binary->getLHS()->IgnoreParenCasts();
    for (;;) {
      if (const auto *member = dyn_cast<MemberExpr>(x)) {
        if (member->isArrow()) return true;
        x = member->getBase()->IgnoreParenCasts();
      } else if (const auto *item = dyn_cast<ArraySubscriptExpr>(x)) {
        x = item->getBase()->IgnoreParenImpCasts();
        if (!x->getType()->isArrayType()) return true;
      } else {
        break;
      }
    }
    if (const auto *reference = dyn_cast<DeclRefExpr>(x))
      if (const auto *variable = dyn_cast<VarDecl>(reference->getDecl()))
        definition->sources[variable].push_back(binary->getRHS());
    return true;
  }

 private:
  static QualType base_type(QualType type) {
    while (type->isArrayType()) type = QualType(type->getArrayElementTypeNoTypeQual(), 0);
    return type;
  }
  Definition *definition;
};

class Collector : public RecursiveASTVisitor<Collector> {
 public:
  bool VisitFunctionDecl(FunctionDecl *function) {
    if (!function->isThisDeclarationADefinition()) return true;
    const SourceManager &sources = function->getASTContext().getSourceManager();
    if (sources.isInSystemHeader(function->getLocation())) return true;
    definitions.push_back({name_of(function), function, {}});
    Sources(&definitions.back()).TraverseStmt(function->getBody());
    return true;
  }
};

/* Prints the expressions of one function that depend on the order. */
class Checker : public RecursiveASTVisitor<Checker> {
 public:
  explicit Checker(const Definition &definition, std::set<std::string> *found)
      : analysis(definition), sources(definition.function->getASTContext().getSourceManager()), found(found) {}
  bool VisitCallExpr(CallExpr *call) {
    check(call, {call->arg_begin(), call->arg_end()});
    return true;
  }
  bool VisitInitListExpr(InitListExpr *list) {
    check(list, {list->inits().begin(), list->inits().end()});
    return true;
  }
  bool VisitBinaryOperator(BinaryOperator *binary) {
    if (!binary->isLogicalOp() && !binary->isCommaOp()) check(binary, {binary->getLHS(), binary->getRHS()});
    return true;
  }

 private:
  void check(const Expr *whole, const std::vector<const Expr *> &parts) {
    std::vector<Places> changes;
    for (const Expr *part : parts) changes.push_back(analysis.effects(part));
    for (size_t i = 0; i < parts.size(); i++) {
      if (!changes[i].any()) continue;
      for (size_t j = 0; j < parts.size(); j++) {
        if (i == j) continue;
        if (changes[i].shared() && changes[j].shared()) return report(whole, "two parts change memory");
        for (const VarDecl *variable : changes[i].locals) {
          if (changes[j].locals.count(variable))
            return report(whole, "two parts change " + variable->getNameAsString());
          if (reads(parts[j], variable))
            return report(whole, "one part changes " + variable->getNameAsString() + ", another reads it");
        }
      }
    }
  }

  /* Whether the expression takes the value of the variable, or of a member or an item of it. */
  static bool reads(const Stmt *x, const VarDecl *variable) {
    if (!x) return false;
    const auto *cast = dyn_cast<ImplicitCastExpr>(x);
    if (cast && cast->getCastKind() == CK_LValueToRValue) {
      const Expr *inner = cast->getSubExpr()->IgnoreParens();
      for (;;) {
        const auto *member = dyn_cast<MemberExpr>(inner);
        const auto *item = dyn_cast<ArraySubscriptExpr>(inner);
        if (member && !member->isArrow())
          inner = member->getBase()->IgnoreParens();
        else if (item && item->getBase()->IgnoreParenImpCasts()->getType()->isArrayType())
          inner = item->getBase()->IgnoreParenImpCasts();
        else
          break;
      }
      const auto *reference = dyn_cast<DeclRefExpr>(inner);
      if (reference && reference->getDecl() == variable) return true;
    }
    for (const Stmt *inner : x->children())
      if (reads(inner, variable)) return true;
    return false;
  }

  void report(const Expr *whole, const std::string &what) {
    SourceLocation at = sources.getExpansionLoc(whole->getBeginLoc());
    found->insert(sources.getFilename(at).str() + ":" + std::to_string(sources.getExpansionLineNumber(at)) + ":" +
                  std::to_string(sources.getExpansionColumnNumber(at)) + ": " + what +
                  ", in an order that C leaves open");
  }

  Analysis analysis;
  const SourceManager &sources;
  std::set<std::string> *found;
};

}  // namespace

int main(int argc, char **argv) {
  if (argc < 3) return fputs("usage: evaluation_order BUILD FILE...\n", stderr), 2;
  std::string wrong;
  auto commands = tooling::CompilationDatabase::loadFromDirectory(argv[1], wrong);
  if (!commands) return fprintf(stderr, "%s: %s\n", argv[1], wrong.c_str()), 2;
  commands = tooling::inferMissingCompileCommands(std::move(commands));
  tooling::ClangTool tool(*commands, std::vector<std::string>(argv + 2, argv + argc));
  tool.setPrintErrorMessage(false);
  tool.appendArgumentsAdjuster(
      tooling::getInsertArgumentAdjuster("-resource-dir=" CLANG_RESOURCES, tooling::ArgumentInsertPosition::END));
  tool.appendArgumentsAdjuster(tooling::getInsertArgumentAdjuster("-w", tooling::ArgumentInsertPosition::END));
  std::vector<std::unique_ptr<ASTUnit>> units;
  if (tool.buildASTs(units) != 0 || units.size() < (size_t)argc - 2) return fputs("not all files compile\n", stderr), 2;
  for (auto &unit : units) Collector().TraverseDecl(unit->getASTContext().getTranslationUnitDecl());
  for (const Definition &definition : definitions) summaries[definition.name];
  for (bool changed = true; changed;) {
    changed = false;
    for (const Definition &definition : definitions) {
      Summary now = Analysis(definition).summary(), &known = summaries[definition.name];
      changed |= now != known;
      known = now;
    }
  }
  std::set<std::string> found;
  for (const Definition &definition : definitions)
    Checker(definition, &found).TraverseStmt(const_cast<Stmt *>(definition.function->getBody()));
  for (const std::string &place : found) puts(place.c_str());
  fprintf(stderr, "%zu functions\n", definitions.size());
  return found.empty() ? 0 : 1;
}
