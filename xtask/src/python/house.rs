//! What a component is made of: core modules, the instances made of them, and which name leads where. It reads and
//! changes nothing.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ExternalKind, FuncType, Import,
    Instance, Parser, Payload, TypeRef,
};

/// The table that a component's trampolines jump through until its functions are known.
const LATE_TABLE: &str = "$imports";

/// A component, taken apart.
#[derive(Debug, Default)]
pub(super) struct House<'a> {
    pub(super) modules: Vec<Module<'a>>,
    pub(super) instances: Vec<Made<'a>>,
    funcs: Vec<Core<'a>>,
    memories: Vec<Core<'a>>,
    tables: Vec<Core<'a>>,
    globals: Vec<Core<'a>>,
    /// Of the component's own functions, those that are core functions lifted.
    lifted: Vec<Option<u32>>,
    exports: BTreeMap<&'a str, u32>,
    /// What makes room for lists that come from outside.
    realloc: Option<u32>,
}

/// One core module.
#[derive(Debug, Default)]
pub(super) struct Module<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Import<'a>>,
    /// Types of the functions it defines.
    pub(super) funcs: Vec<u32>,
    pub(super) tables: u32,
    pub(super) memories: u32,
    pub(super) globals: u32,
    pub(super) elements: u32,
    pub(super) datas: u32,
    exports: BTreeMap<&'a str, (ExternalKind, u32)>,
}

/// A core instance.
#[derive(Debug)]
pub(super) enum Made<'a> {
    Of { module: usize, args: BTreeMap<&'a str, usize> },
    Names(BTreeMap<&'a str, (ExternalKind, u32)>),
}

/// Something in one of the component's core index spaces.
#[derive(Debug, Clone, Copy)]
enum Core<'a> {
    Export {
        instance: usize,
        name: &'a str,
    },
    /// Made by the host.
    Host,
}

/// Where a name leads in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Out of the component.
    Host,
    /// To what an instance's module itself defines: the so-manieth, imports not counted.
    Defined { instance: usize, index: u32 },
}

impl<'a> House<'a> {
    pub(super) fn read(component: &'a [u8]) -> anyhow::Result<House<'a>> {
        let mut house = House::default();
        let mut parser = Parser::new(0);
        let mut rest = component;
        loop {
            let wasmparser::Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else {
                bail!("the component ends early");
            };
            let at = component.len() - rest.len();
            rest = &rest[consumed..];
            match payload {
                Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                    let len = unchecked_range.end - unchecked_range.start;
                    let (inner, after) = rest.split_at_checked(len).context("a module ends early")?;
                    if inner.get(6) == Some(&0) {
                        house.modules.push(Module::read(inner).with_context(|| format!("the module at {at}"))?);
                    }
                    // What is nested is passed over by a parser that never sees it.
                    rest = after;
                }
                Payload::End(_) => return Ok(house),
                payload => house.note(payload)?,
            }
        }
    }

    fn note(&mut self, payload: Payload<'a>) -> anyhow::Result<()> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.instances.push(made(instance?));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    match alias? {
                        ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                            self.space(kind)?.push(Core::Export { instance: instance_index as usize, name });
                        }
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Func, .. } => {
                            self.lifted.push(None);
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for canon in section {
                    match canon? {
                        CanonicalFunction::Lift { core_func_index, .. } => self.lifted.push(Some(core_func_index)),
                        CanonicalFunction::Lower { options, .. } => {
                            let realloc = options.iter().find_map(|option| match option {
                                CanonicalOption::Realloc(func) => Some(*func),
                                _ => None,
                            });
                            self.realloc = self.realloc.or(realloc);
                            self.funcs.push(Core::Host);
                        }
                        _ => self.funcs.push(Core::Host),
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Func {
                        self.exports.insert(export.name.name, export.index);
                        self.lifted.push(None);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn space(&mut self, kind: ExternalKind) -> anyhow::Result<&mut Vec<Core<'a>>> {
        Ok(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => &mut self.funcs,
            ExternalKind::Memory => &mut self.memories,
            ExternalKind::Table => &mut self.tables,
            ExternalKind::Global => &mut self.globals,
            ExternalKind::Tag => bail!("the component uses exceptions"),
        })
    }

    /// The core function behind one that the component exports.
    pub(super) fn exported(&self, name: &str) -> anyhow::Result<Target> {
        let index = *self.exports.get(name).with_context(|| format!("the component exports no {name}"))?;
        let lifted = self.lifted.get(index as usize).copied().flatten().context("it is not a core function")?;
        self.follow(ExternalKind::Func, lifted)
    }

    /// The function that makes room for lists.
    pub(super) fn realloc(&self) -> anyhow::Result<Target> {
        self.follow(ExternalKind::Func, self.realloc.context("nothing makes room for lists")?)
    }

    /// Where an export of an instance leads.
    pub(super) fn resolve(&self, instance: usize, kind: ExternalKind, name: &str) -> anyhow::Result<Target> {
        let unknown = || format!("core instance {instance} exports no {name}");
        match self.instances.get(instance).with_context(unknown)? {
            Made::Names(names) => {
                let (kind, index) = *names.get(name).with_context(unknown)?;
                self.follow(kind, index)
            }
            Made::Of { module, .. } if self.is_late(*module) => {
                let (kind, index) = self.late(name).with_context(unknown)?;
                self.follow(kind, index)
            }
            Made::Of { module, .. } => {
                let (_, index) = *self.modules[*module].exports.get(name).with_context(unknown)?;
                self.inside(instance, kind, index)
            }
        }
    }

    /// Where an index inside an instance's module leads.
    pub(super) fn inside(&self, instance: usize, kind: ExternalKind, index: u32) -> anyhow::Result<Target> {
        let Some(Made::Of { module, args }) = self.instances.get(instance) else {
            bail!("core instance {instance} is not made of a module");
        };
        let of_kind = |import: &&Import<'_>| kind_of(import.ty) == kind;
        let imports = self.modules[*module].imports.iter();
        let imported = imports.clone().filter(of_kind).count() as u32;
        match imports.clone().filter(of_kind).nth(index as usize) {
            None => Ok(Target::Defined { instance, index: index - imported }),
            Some(import) => {
                let from =
                    *args.get(import.module).with_context(|| format!("nothing is given as {}", import.module))?;
                self.resolve(from, kind, import.name)
            }
        }
    }

    fn follow(&self, kind: ExternalKind, index: u32) -> anyhow::Result<Target> {
        let space = match kind {
            ExternalKind::Func | ExternalKind::FuncExact => &self.funcs,
            ExternalKind::Memory => &self.memories,
            ExternalKind::Table => &self.tables,
            ExternalKind::Global => &self.globals,
            ExternalKind::Tag => bail!("the component uses exceptions"),
        };
        match space.get(index as usize).with_context(|| format!("there is no core item {index}"))? {
            Core::Host => Ok(Target::Host),
            Core::Export { instance, name } => self.resolve(*instance, kind, name),
        }
    }

    /// Whether a module only jumps through the table of late functions, or fills it: both go.
    pub(super) fn is_late(&self, module: usize) -> bool {
        let module = &self.modules[module];
        module.exports.contains_key(LATE_TABLE) || module.imports.iter().any(|import| import.name == LATE_TABLE)
    }

    /// What the table of late functions is filled with, under the names of the trampolines.
    fn late(&self, name: &str) -> Option<(ExternalKind, u32)> {
        self.instances.iter().find_map(|made| match made {
            Made::Names(names) if names.contains_key(LATE_TABLE) => names.get(name).copied(),
            Made::Names(_) | Made::Of { .. } => None,
        })
    }
}

fn made(instance: Instance<'_>) -> Made<'_> {
    match instance {
        Instance::Instantiate { module_index, args } => Made::Of {
            module: module_index as usize,
            args: args.iter().map(|arg| (arg.name, arg.index as usize)).collect(),
        },
        Instance::FromExports(exports) => {
            Made::Names(exports.iter().map(|export| (export.name, (export.kind, export.index))).collect())
        }
    }
}

impl<'a> Module<'a> {
    fn read(bytes: &'a [u8]) -> anyhow::Result<Module<'a>> {
        let mut module = Module { bytes, ..Module::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        module.types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    module.imports = section.into_imports().collect::<Result<_, _>>()?;
                }
                Payload::FunctionSection(section) => module.funcs = section.into_iter().collect::<Result<_, _>>()?,
                Payload::TableSection(section) => module.tables = section.count(),
                Payload::MemorySection(section) => module.memories = section.count(),
                Payload::GlobalSection(section) => module.globals = section.count(),
                Payload::ElementSection(section) => module.elements = section.count(),
                Payload::DataSection(section) => module.datas = section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        module.exports.insert(export.name, (export.kind, export.index));
                    }
                }
                Payload::StartSection { .. } => bail!("the module has a start function, which would run again"),
                Payload::TagSection(_) => bail!("the module uses exceptions"),
                _ => {}
            }
        }
        Ok(module)
    }
}

/// The index space that an import is in.
pub(super) fn kind_of(ty: TypeRef) -> ExternalKind {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => ExternalKind::Func,
        TypeRef::Table(_) => ExternalKind::Table,
        TypeRef::Memory(_) => ExternalKind::Memory,
        TypeRef::Global(_) => ExternalKind::Global,
        TypeRef::Tag(_) => ExternalKind::Tag,
    }
}
