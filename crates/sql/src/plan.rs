//! From a parsed statement to what DataFusion executes. It sees the streams of this one query, our functions, and nothing
//! else: no catalogue, no files, no settings.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Column, Result as DfResult, TableReference, plan_err};
use datafusion::execution::context::{SessionConfig, TaskContext};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::optimizer::{AnalyzerRule, Optimizer};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use levada_core::dataset::ColumnEdge;
use levada_core::error::Result;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::exact::Exact;
use crate::keys::{self, Keys};
use crate::meaning::Meaning;
use crate::names::Names;
use crate::row::RowPlan;
use crate::{fault, functions, lineage, memory, output, parse, rewrite};

/// What is planned.
pub(crate) enum Text {
    /// A statement.
    Query(String),
    /// The columns of a row, with their expressions; those that have none are as they were.
    Row(Vec<(String, Option<String>)>),
}

/// What a plan is made of.
pub(crate) struct Blueprint {
    pub(crate) text: Text,
    pub(crate) params: BTreeMap<String, Value>,
    /// Those that an expression of a row may name.
    pub(crate) keys: Arc<Keys>,
    /// By the name that the statement has for it, its parts joined by dots.
    pub(crate) tables: HashMap<String, Arc<dyn TableProvider>>,
    pub(crate) memory_bytes: usize,
    pub(crate) spill_bytes: u64,
    pub(crate) spill: PathBuf,
    /// Rows of a batch within the query.
    pub(crate) batch_rows: usize,
    pub(crate) partitions: usize,
    /// The columns wanted, in this order; all of them if `None`.
    pub(crate) columns: Option<Vec<String>>,
}

/// A query that can be executed, once.
pub(crate) struct Executable {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) context: Arc<TaskContext>,
}

impl Blueprint {
    /// The columns that the query puts out. Call it on a deep stack.
    ///
    /// # Errors
    /// `Config` for what cannot be planned.
    pub(crate) fn schema(&self) -> Result<SchemaRef> {
        let state = self.state(DiskManagerMode::Disabled).map_err(|error| self.told(&error))?;
        Ok(self.logical(&state)?.1)
    }

    /// Which columns of which tables the columns of the query were made from. Call it on a deep stack.
    ///
    /// # Errors
    /// As [`Blueprint::schema`].
    pub(crate) fn lineage(&self) -> Result<BTreeMap<String, Vec<ColumnEdge>>> {
        let state = self.state(DiskManagerMode::Disabled).map_err(|error| self.told(&error))?;
        let (plan, _) = self.logical(&state)?;
        lineage::of(&plan).map_err(|error| self.told(&error))
    }

    /// The plan for one row after the other. Call it on a deep stack.
    ///
    /// # Errors
    /// As [`Blueprint::schema`].
    pub(crate) fn row(&self) -> Result<RowPlan> {
        let state = self.state(DiskManagerMode::Disabled).map_err(|error| self.told(&error))?;
        let (plan, schema) = self.logical(&state)?;
        RowPlan::of(&plan, schema, &state)
    }

    /// The plan. Call it on a deep stack.
    ///
    /// # Errors
    /// As [`Blueprint::schema`].
    pub(crate) fn executable(&self, handle: &Handle) -> Result<Executable> {
        let disk = DiskManagerMode::Directories(vec![self.spill.clone()]);
        let state = self.state(disk).map_err(|error| self.told(&error))?;
        let (plan, _) = self.logical(&state)?;
        let physical = handle.block_on(state.query_planner().create_physical_plan(&plan, &state));
        let plan = physical.and_then(memory::counted).map_err(|error| self.told(&error))?;
        Ok(Executable { plan, context: state.task_ctx() })
    }

    fn told(&self, error: &datafusion::common::DataFusionError) -> levada_core::error::Error {
        fault::told(error, self.memory_bytes)
    }

    fn logical(&self, state: &SessionState) -> Result<(LogicalPlan, SchemaRef)> {
        let mut statement = match &self.text {
            Text::Query(sql) => parse::statement(sql)?.statement,
            Text::Row(columns) => parse::row(columns, &self.keys.names())?,
        };
        let columns = self
            .tables
            .values()
            .flat_map(|table| table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
        let names = Names::new(columns, &statement);
        rewrite::rewrite(&mut statement, &names, &self.params)?;
        let world =
            World { tables: &self.tables, keys: &self.keys, options: state.config_options(), planners: planners() };
        let planner = SqlToRel::new_with_options(&world, options());
        let plan = planner.sql_statement_to_plan(statement).map_err(|error| self.told(&error))?;
        let plan = self.project(plan).map_err(|error| self.told(&error))?;
        let plan = state.optimize(&plan).map_err(|error| self.told(&error))?;
        let schema = output::schema(&plan)?;
        Ok((plan, schema))
    }

    fn project(&self, plan: LogicalPlan) -> DfResult<LogicalPlan> {
        let Some(columns) = &self.columns else { return Ok(plan) };
        let mut wanted = Vec::with_capacity(columns.len());
        for name in columns {
            let at = plan.schema().fields().iter().position(|field| field.name() == name);
            let Some(at) = at else { return plan_err!("the query puts out no column `{name}`") };
            wanted.push(Expr::Column(Column::from(plan.schema().qualified_field(at))));
        }
        LogicalPlanBuilder::from(plan).project(wanted)?.build()
    }

    fn state(&self, disk: DiskManagerMode) -> DfResult<SessionState> {
        let mut config = SessionConfig::new()
            .with_target_partitions(self.partitions)
            .with_batch_size(self.batch_rows)
            .with_information_schema(false)
            .with_create_default_catalog_and_schema(false);
        let set = config.options_mut();
        set.execution.time_zone = Some(levada_core::schema::UTC.to_owned());
        // each sort takes what memory there is to merge its parts, and one that merges several sorts would find none left
        set.optimizer.repartition_sorts = false;
        set.execution.sort_spill_reservation_bytes = (self.memory_bytes / 16).clamp(64 << 10, 10 << 20);
        let disk = DiskManagerBuilder::default().with_mode(disk).with_max_temp_directory_size(self.spill_bytes);
        let top = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN);
        let pool = FairSpillPool::new(self.memory_bytes);
        let pool = datafusion::execution::memory_pool::TrackConsumersPool::new(pool, top);
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).with_memory_pool(Arc::new(pool));
        let rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
            vec![Arc::new(Meaning), Arc::new(TypeCoercion::new()), Arc::new(Exact)];
        // it adds up sums again, in a type that has no room for them
        let mut optimizer = Optimizer::new().rules;
        optimizer.retain(|rule| rule.name() != "single_distinct_aggregation_to_group_by");
        Ok(SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime.build_arc()?)
            .with_analyzer_rules(rules)
            .with_optimizer_rules(optimizer)
            .build())
    }
}

fn options() -> ParserOptions {
    ParserOptions {
        parse_float_as_decimal: true,
        enable_ident_normalization: false,
        support_varchar_with_length: false,
        map_string_types_to_utf8view: false,
        enable_options_value_normalization: false,
        collect_spans: true,
        default_null_ordering: NullOrdering::NullsMax,
    }
}

fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        Arc::new(datafusion::functions::datetime::planner::DatetimeFunctionPlanner),
        Arc::new(datafusion::functions::unicode::planner::UnicodeFunctionPlanner),
        Arc::new(datafusion::functions_aggregate::planner::AggregateFunctionPlanner),
        Arc::new(datafusion::functions_window::planner::WindowFunctionPlanner),
    ]
}

/// All that a statement can name.
struct World<'a> {
    tables: &'a HashMap<String, Arc<dyn TableProvider>>,
    keys: &'a Arc<Keys>,
    options: &'a ConfigOptions,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl ContextProvider for World<'_> {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        let parts = match &name {
            TableReference::Bare { table } => table.to_string(),
            TableReference::Partial { schema, table } => format!("{schema}.{table}"),
            TableReference::Full { catalog, schema, table } => format!("{catalog}.{schema}.{table}"),
        };
        match self.tables.get(&parts) {
            Some(table) => Ok(provider_as_source(table.clone())),
            None => plan_err!("there is no `{parts}` in this place"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::scalar(name).or_else(|| keys::named(name, self.keys))
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        functions::catalogue().aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        functions::catalogue().window.get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.options
    }

    fn udf_names(&self) -> Vec<String> {
        functions::names().into_iter().map(str::to_owned).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
