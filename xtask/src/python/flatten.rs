//! Makes one core module of a component whose modules share one memory: what they import of one another becomes a
//! plain index, what they import of the world an import with the names of WASI 0.2. The sandbox then runs it as it
//! runs every tool: one instance, one memory mapped from the compiled file, the same calls behind the same walls.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, CustomSection, DataCountSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, ImportSection, InstructionSink, MemArg, MemorySection, Module,
    TableSection, TypeSection,
};
use wasmparser::{ConstExpr, ExternalKind, FuncType, Operator, Parser, Payload};

use super::house::{House, Made, Target, kind_of};

/// The manifest of a tool.
const MANIFEST_SECTION: &str = "grove";
/// The component's own function, which becomes the module's start.
const RUN: &str = "run";
/// Interfaces that are not given: no import is left of them.
const REFUSED: &str = "wasi:sockets/";

/// The module, with what its manifest says.
pub(super) fn flatten(component: &[u8], manifest: &str) -> anyhow::Result<Vec<u8>> {
    let house = House::read(component)?;
    let plan = Plan::draw(&house)?;
    let mut built = Built::default();
    plan.declare(&mut built)?;
    for room in &plan.rooms {
        plan.furnish(room, &mut built).with_context(|| format!("core instance {}", room.instance))?;
    }
    plan.refuse(&mut built);
    plan.export(&mut built)?;
    Ok(built.finish(manifest))
}

/// Where everything comes to lie.
struct Plan<'a> {
    house: &'a House<'a>,
    rooms: Vec<Room>,
    /// Imports that stay, in order, with the type each has.
    hosts: Vec<(String, String, u32)>,
    /// Functions that answer for what is not given.
    refused: Vec<(String, u32)>,
    first_refused: u32,
}

/// One instance of a module, and how its indices are counted in the whole.
struct Room {
    instance: usize,
    module: usize,
    base: Counts,
    imports: BTreeMap<(u8, u32), u32>,
    imported: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    types: u32,
    funcs: u32,
    tables: u32,
    memories: u32,
    globals: u32,
    elements: u32,
    datas: u32,
}

#[derive(Default)]
struct Built {
    types: TypeSection,
    imports: ImportSection,
    funcs: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    datas: DataSection,
    data_count: u32,
    code: CodeSection,
}

/// What a function of a module leads to.
#[derive(Debug, Clone, Copy)]
enum Outside {
    Kept(u32),
    Refused(u32),
}

impl<'a> Plan<'a> {
    fn draw(house: &'a House<'a>) -> anyhow::Result<Plan<'a>> {
        let mut plan = Plan { house, rooms: Vec::new(), hosts: Vec::new(), refused: Vec::new(), first_refused: 0 };
        let mut outside: BTreeMap<(String, String), Outside> = BTreeMap::new();
        let mut next = Counts::default();
        for (instance, made) in house.instances.iter().enumerate() {
            let Made::Of { module, .. } = made else { continue };
            if house.is_late(*module) {
                continue;
            }
            let shape = &house.modules[*module];
            plan.note_outside(instance, *module, next.types, &mut outside)?;
            plan.rooms.push(Room {
                instance,
                module: *module,
                base: next,
                imports: BTreeMap::new(),
                imported: count(shape),
            });
            next.types += shape.types.len() as u32;
            next.funcs += shape.funcs.len() as u32;
            next.tables += shape.tables;
            next.memories += shape.memories;
            next.globals += shape.globals;
            next.elements += shape.elements;
            next.datas += shape.datas;
        }
        let hosts = plan.hosts.len() as u32;
        for room in &mut plan.rooms {
            room.base.funcs += hosts;
        }
        plan.first_refused = hosts + next.funcs;
        for at in 0..plan.rooms.len() {
            plan.rooms[at].imports = plan.wire(at, &outside)?;
        }
        Ok(plan)
    }

    /// What of an instance's imports leads out of the component.
    fn note_outside(
        &mut self,
        instance: usize,
        module: usize,
        types: u32,
        outside: &mut BTreeMap<(String, String), Outside>,
    ) -> anyhow::Result<()> {
        let shape = &self.house.modules[module];
        let funcs = shape.imports.iter().filter(|import| kind_of(import.ty) == ExternalKind::Func);
        for (index, import) in funcs.enumerate() {
            let wasmparser::TypeRef::Func(ty) = import.ty else { bail!("a function has an odd type") };
            if self.house.inside(instance, ExternalKind::Func, index as u32)? != Target::Host {
                continue;
            }
            let key = (interface(import.module), import.name.to_owned());
            if outside.contains_key(&key) {
                continue;
            }
            let found = if key.0.starts_with(REFUSED) {
                self.refused.push((key.1.clone(), types + ty));
                Outside::Refused(self.refused.len() as u32 - 1)
            } else {
                self.hosts.push((key.0.clone(), key.1.clone(), types + ty));
                Outside::Kept(self.hosts.len() as u32 - 1)
            };
            outside.insert(key, found);
        }
        Ok(())
    }

    /// The whole's index of each of an instance's imports.
    fn wire(
        &self,
        at: usize,
        outside: &BTreeMap<(String, String), Outside>,
    ) -> anyhow::Result<BTreeMap<(u8, u32), u32>> {
        let (instance, module) = (self.rooms[at].instance, self.rooms[at].module);
        let mut nth: BTreeMap<u8, u32> = BTreeMap::new();
        let mut wires = BTreeMap::new();
        for import in &self.house.modules[module].imports {
            let kind = kind_of(import.ty);
            let index = nth.entry(number(kind)).or_default();
            let whole = match self.house.inside(instance, kind, *index)? {
                Target::Defined { instance, index } => self.place(instance, kind, index)?,
                Target::Host => {
                    let key = (interface(import.module), import.name.to_owned());
                    match outside.get(&key).with_context(|| format!("{} was overlooked", import.name))? {
                        Outside::Kept(host) => *host,
                        Outside::Refused(refused) => self.first_refused + refused,
                    }
                }
            };
            wires.insert((number(kind), *index), whole);
            *index += 1;
        }
        Ok(wires)
    }

    fn place(&self, instance: usize, kind: ExternalKind, index: u32) -> anyhow::Result<u32> {
        let room = self.room(instance)?;
        Ok(index + of(&room.base, kind))
    }

    fn room(&self, instance: usize) -> anyhow::Result<&Room> {
        self.rooms.iter().find(|room| room.instance == instance).context("a name leads to a module that is left out")
    }

    fn declare(&self, built: &mut Built) -> anyhow::Result<()> {
        for room in &self.rooms {
            for ty in &self.house.modules[room.module].types {
                built.types.ty().func_type(&Room::signature(ty)?);
            }
        }
        for (module, name, ty) in &self.hosts {
            built.imports.import(module, name, EntityType::Function(*ty));
        }
        Ok(())
    }

    fn furnish(&self, room: &Room, built: &mut Built) -> anyhow::Result<()> {
        let mut moved = Moved { plan: self, room };
        let failed = |error: Error<anyhow::Error>| anyhow::anyhow!("it cannot be written again: {error}");
        for payload in Parser::new(0).parse_all(self.house.modules[room.module].bytes) {
            match payload? {
                Payload::FunctionSection(section) => {
                    moved.parse_function_section(&mut built.funcs, section).map_err(failed)?;
                }
                Payload::TableSection(section) => {
                    moved.parse_table_section(&mut built.tables, section).map_err(failed)?
                }
                Payload::MemorySection(section) => {
                    moved.parse_memory_section(&mut built.memories, section).map_err(failed)?;
                }
                Payload::GlobalSection(section) => {
                    moved.parse_global_section(&mut built.globals, section).map_err(failed)?;
                }
                Payload::ElementSection(section) => {
                    moved.parse_element_section(&mut built.elements, section).map_err(failed)?;
                }
                Payload::DataSection(section) => {
                    built.data_count += section.count();
                    moved.parse_data_section(&mut built.datas, section).map_err(failed)?;
                }
                Payload::CodeSectionEntry(body) => moved.parse_function_body(&mut built.code, body).map_err(failed)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Functions in the place of those that are not given. The few that a C library calls before it knows that there
    /// is no network say that there is none; nothing can reach the others.
    fn refuse(&self, built: &mut Built) {
        for (name, ty) in &self.refused {
            built.funcs.function(*ty);
            let mut body = Function::new([]);
            let mut code = body.instructions();
            match name.as_str() {
                "instance-network" => code.i32_const(0),
                "create-tcp-socket" | "create-udp-socket" => refusal(&mut code, 1, NOT_SUPPORTED),
                "resolve-addresses" => refusal(&mut code, 3, NAME_UNRESOLVABLE),
                dropped if dropped.starts_with("[resource-drop]") => code.nop(),
                _ => code.unreachable(),
            };
            code.end();
            built.code.function(&body);
        }
    }

    fn export(&self, built: &mut Built) -> anyhow::Result<()> {
        let Target::Defined { instance, index } = self.house.exported(RUN)? else { bail!("{RUN} is not a function") };
        built.exports.export("_start", ExportKind::Func, self.place(instance, ExternalKind::Func, index)?);
        ensure!(built.memories.len() == 1, "the component has {} memories", built.memories.len());
        built.exports.export("memory", ExportKind::Memory, 0);
        let Target::Defined { instance, index } = self.house.realloc()? else { bail!("{REALLOC} is not a function") };
        built.exports.export(REALLOC, ExportKind::Func, self.place(instance, ExternalKind::Func, index)?);
        Ok(())
    }
}

/// By this the host asks for room in the memory.
const REALLOC: &str = "cabi_realloc";
/// Among the errors of `wasi:sockets/network`.
const NOT_SUPPORTED: u8 = 2;
const NAME_UNRESOLVABLE: u8 = 18;

/// Writes a `result` that went wrong where a parameter says.
fn refusal<'a, 'b>(code: &'b mut InstructionSink<'a>, ret: u32, error: u8) -> &'b mut InstructionSink<'a> {
    let at = |offset| MemArg { offset, align: 0, memory_index: 0 };
    code.local_get(ret).i32_const(1).i32_store8(at(0)).local_get(ret).i32_const(i32::from(error)).i32_store8(at(4))
}

/// The interface an import is of, without the version's last number: those differ only in what was added.
fn interface(module: &str) -> String {
    match module.rsplit_once('.') {
        Some((interface, _)) if module.contains('@') => interface.to_owned(),
        _ => module.to_owned(),
    }
}

fn number(kind: ExternalKind) -> u8 {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => 0,
        ExternalKind::Table => 1,
        ExternalKind::Memory => 2,
        ExternalKind::Global => 3,
        ExternalKind::Tag => 4,
    }
}

fn of(counts: &Counts, kind: ExternalKind) -> u32 {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => counts.funcs,
        ExternalKind::Table => counts.tables,
        ExternalKind::Memory => counts.memories,
        ExternalKind::Global => counts.globals,
        ExternalKind::Tag => 0,
    }
}

/// How many of each kind a module imports.
fn count(module: &super::house::Module<'_>) -> Counts {
    let of = |kind| module.imports.iter().filter(|import| kind_of(import.ty) == kind).count() as u32;
    Counts {
        funcs: of(ExternalKind::Func),
        tables: of(ExternalKind::Table),
        memories: of(ExternalKind::Memory),
        globals: of(ExternalKind::Global),
        ..Counts::default()
    }
}

impl Room {
    fn signature(ty: &FuncType) -> anyhow::Result<wasm_encoder::FuncType> {
        wasm_encoder::FuncType::try_from(ty.clone()).map_err(|_| anyhow::anyhow!("a function has an odd type"))
    }

    fn whole(&self, kind: ExternalKind, index: u32) -> anyhow::Result<u32> {
        let imported = of(&self.imported, kind);
        match index.checked_sub(imported) {
            Some(defined) => Ok(defined + of(&self.base, kind)),
            None => self.imports.get(&(number(kind), index)).copied().context("an import was overlooked"),
        }
    }
}

/// Writes a module again with the indices of the whole.
struct Moved<'a> {
    plan: &'a Plan<'a>,
    room: &'a Room,
}

impl Moved<'_> {
    /// What an expression comes to if it is made of numbers and globals that never change: in one module the latter
    /// cannot be named where they are needed.
    fn value(&self, expr: ConstExpr<'_>) -> anyhow::Result<Option<i32>> {
        let mut stack = Vec::new();
        for operator in expr.get_operators_reader() {
            let mut pair = || stack.pop().zip(stack.pop()).context("an expression lacks a number");
            let value = match operator? {
                Operator::I32Const { value } => value,
                Operator::GlobalGet { global_index } => self.constant(global_index)?,
                Operator::I32Add => pair().map(|(b, a): (i32, i32)| a.wrapping_add(b))?,
                Operator::I32Sub => pair().map(|(b, a): (i32, i32)| a.wrapping_sub(b))?,
                Operator::End => return Ok(stack.pop()),
                _ => return Ok(None),
            };
            stack.push(value);
        }
        Ok(None)
    }

    fn constant(&self, global: u32) -> anyhow::Result<i32> {
        let found = self.plan.house.inside(self.room.instance, ExternalKind::Global, global)?;
        let Target::Defined { instance, index } = found else { bail!("a global comes from outside") };
        let room = self.plan.room(instance)?;
        for payload in Parser::new(0).parse_all(self.plan.house.modules[room.module].bytes) {
            let Payload::GlobalSection(section) = payload? else { continue };
            let global = section.into_iter().nth(index as usize).context("there is no such global")??;
            ensure!(!global.ty.mutable, "a global that changes is named where none may be");
            let there = Moved { plan: self.plan, room };
            return there.value(global.init_expr)?.context("a global is not a plain number");
        }
        bail!("a module without globals exports one")
    }
}

impl Reencode for Moved<'_> {
    type Error = anyhow::Error;

    fn type_index(&mut self, ty: u32) -> Result<u32, Error<anyhow::Error>> {
        Ok(ty + self.room.base.types)
    }

    fn function_index(&mut self, func: u32) -> Result<u32, Error<anyhow::Error>> {
        self.room.whole(ExternalKind::Func, func).map_err(Error::UserError)
    }

    fn table_index(&mut self, table: u32) -> Result<u32, Error<anyhow::Error>> {
        self.room.whole(ExternalKind::Table, table).map_err(Error::UserError)
    }

    fn memory_index(&mut self, memory: u32) -> Result<u32, Error<anyhow::Error>> {
        self.room.whole(ExternalKind::Memory, memory).map_err(Error::UserError)
    }

    fn global_index(&mut self, global: u32) -> Result<u32, Error<anyhow::Error>> {
        self.room.whole(ExternalKind::Global, global).map_err(Error::UserError)
    }

    fn element_index(&mut self, element: u32) -> Result<u32, Error<anyhow::Error>> {
        Ok(element + self.room.base.elements)
    }

    fn data_index(&mut self, data: u32) -> Result<u32, Error<anyhow::Error>> {
        Ok(data + self.room.base.datas)
    }

    fn const_expr(&mut self, expr: ConstExpr<'_>) -> Result<wasm_encoder::ConstExpr, Error<anyhow::Error>> {
        match self.value(expr.clone()).map_err(Error::UserError)? {
            Some(value) => Ok(wasm_encoder::ConstExpr::i32_const(value)),
            None => wasm_encoder::reencode::utils::const_expr(self, expr),
        }
    }
}

impl Built {
    fn finish(self, manifest: &str) -> Vec<u8> {
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.funcs).section(&self.tables);
        module.section(&self.memories).section(&self.globals).section(&self.exports).section(&self.elements);
        module.section(&DataCountSection { count: self.data_count }).section(&self.code).section(&self.datas);
        let data = Cow::Borrowed(manifest.as_bytes());
        module.section(&CustomSection { name: MANIFEST_SECTION.into(), data });
        module.finish()
    }
}
