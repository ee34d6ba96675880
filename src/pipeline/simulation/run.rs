//! A run: one execution in a world, with everything that happens to it by chance.

use std::mem::discriminant;

use super::*;

/// What the approver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    Approves,
    Rejects,
    IsSilent,
}

/// What alarms and commands say after a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Bad,
    /// Alarms have no data at first.
    Late,
    /// Alarms cannot be read at first.
    Unseen,
    /// There are none.
    Missing,
}

/// A case: the world and everything that happens by chance in it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) deletes: bool,
    pub(super) scripts: Vec<Script>,
    pub(super) preferences: OperationPreferences,
    pub(super) approval: Approval,
    /// The gates of each wave but the last.
    pub(super) waves: Vec<Vec<Gate>>,
    /// What the approver does after a wave.
    pub(super) at_gate: Approval,
    /// What alarms and commands say after a wave.
    pub(super) health: Health,
    /// How often the process may die, be stopped, or get a message that makes no sense.
    pub(super) disturbances: u8,
    /// After how many turns the execution is given up, if it has not ended by then.
    pub(super) gives_up: Option<u8>,
    /// After how many turns nothing answers in the second region any more. Whoever hears of that gives up.
    pub(super) goes_dark: Option<u8>,
    /// Whether somebody who is asked about what was accepted and cannot be watched says that nobody waits for it, or gives the
    /// execution up.
    pub(super) is_let_go: bool,
    pub(super) chances: Vec<u16>,
}

pub(super) struct Run {
    pub(super) health: Health,
    /// How often alarms were looked at.
    pub(super) looks: u32,
    pub(super) world: World,
    pub(super) machine: Machine,
    pub(super) events: Vec<Event>,
    pub(super) in_flight: Vec<Step>,
    pub(super) now: Timestamp,
    pub(super) preferences: OperationPreferences,
    pub(super) at_gate: Approval,
    pub(super) chances: std::vec::IntoIter<u16>,
    pub(super) all_chances: Vec<u16>,
    pub(super) disturbances: u8,
    pub(super) gives_up: Option<u8>,
    pub(super) goes_dark: Option<u8>,
    pub(super) is_let_go: bool,
}

impl Run {
    pub(super) fn start(case: &Case) -> Self {
        let world: World = case
            .scripts
            .iter()
            .enumerate()
            .map(|(n, script)| {
                let stack = Stack {
                    script: script.clone(),
                    deletes: case.deletes,
                    has_change_set: false,
                    in_review: false,
                    executions: 0,
                    late: false,
                    repeated: 0,
                    creations: 0,
                    has_ended: false,
                    has_policy: false,
                    policies: 0,
                };
                (target(n, script.second_region), stack)
            })
            .collect();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let definition = definition(
            world.keys().cloned().collect(),
            &case.preferences,
            &case.waves,
            case.deletes,
        );
        let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
        let (machine, turn) = Machine::start(id, definition, now).unwrap();
        let mut run = Self {
            health: case.health,
            looks: 0,
            world,
            machine,
            events: Vec::new(),
            in_flight: Vec::new(),
            now,
            preferences: case.preferences.clone(),
            at_gate: case.at_gate,
            chances: case.chances.clone().into_iter(),
            all_chances: case.chances.clone(),
            disturbances: case.disturbances,
            gives_up: case.gives_up,
            goes_dark: case.goes_dark,
            is_let_go: case.is_let_go,
        };
        run.commit(turn, false);
        run
    }

    /// Runs to the end, resuming whenever the process left.
    pub(super) fn to_the_end(case: &Case) -> Self {
        let mut run = Self::start(case);
        for _ in 0..2_000 {
            if run.machine.state().outcome.is_some() {
                invariant_every_target_ends_or_the_execution_can_be_resumed(&run);
                invariant_replay_equals_live(&run);
                invariant_no_change_set_is_executed_twice(&run);
                invariant_nothing_is_left_behind(&run);
                invariant_what_was_given_up_says_what_was_done(&run);
                invariant_what_was_accepted_is_said_so(&run);
                invariant_whoever_gave_up_is_not_asked_again(&run);
                invariant_a_gate_opens_after_its_time_and_once(&run);
                return run;
            }
            run.go_on(case.approval);
        }
        let state = run.machine.state();
        panic!(
            "the execution does not come to its end: {:?}",
            (
                (&state.paused, &state.unreachable, &state.lost),
                (state.stop, state.given_up, &run.in_flight),
                state.targets.values().map(|t| t.phase).collect::<Vec<_>>()
            )
        );
    }

    pub(super) fn chance(&mut self, of: usize) -> usize {
        let next = self.chances.next().unwrap_or_else(|| {
            self.chances = self.all_chances.clone().into_iter();
            self.chances.next().unwrap()
        });
        usize::from(next) % of
    }

    pub(super) fn go_on(&mut self, approval: Approval) {
        let is_gate = |step: &Step| is_of_gate(&step.kind);
        let waits_for_gate = !self.in_flight.is_empty() && self.in_flight.iter().all(is_gate);
        let drops_it = waits_for_gate && is_draining(&self.machine);
        assert_eq!(
            self.machine.is_idle(),
            self.in_flight.is_empty() || drops_it
        );
        // The process has left, or it hears of it just before.
        if drops_it && self.chance(2) == 0 {
            return self.resume();
        }
        self.now += SignedDuration::from_secs(1);
        match self.gives_up {
            Some(0) => {
                self.gives_up = None;
                return self.give_up();
            }
            Some(turns) => self.gives_up = Some(turns - 1),
            None => {}
        }
        match self.goes_dark {
            Some(0) => self.darken(),
            Some(turns) => self.goes_dark = Some(turns - 1),
            None => {}
        }
        if self.disturbances > 0 && self.chance(8) == 0 {
            self.disturbances -= 1;
            return self.disturb();
        }
        if !self.in_flight.is_empty() {
            return self.arrive();
        }
        let state = self.machine.state();
        // It is gone for good, and nobody has said so yet.
        let waits_in_vain = !state.unreachable.is_subset(&state.lost);
        if self.goes_dark == Some(0) && waits_in_vain {
            return self.give_up();
        }
        if self.is_let_go && self.asks_about_an_end() {
            return self.let_go();
        }
        if state.paused.is_some() || state.stop.is_some() {
            return self.resume();
        }
        if let Some(GateWait::Until(until)) = state.gate.as_ref().map(|gate| &gate.wait) {
            self.now = self.now.max(*until);
            return self.handle(vec![Input::Tick]);
        }
        invariant_every_target_ends_or_the_execution_can_be_resumed(self);
        let request = state.request().cloned().unwrap();
        let what = match &request.wave {
            Some(_) => self.at_gate,
            None => approval,
        };
        let decision = match what {
            Approval::Approves => Decision::Approve,
            Approval::Rejects => Decision::Reject,
            Approval::IsSilent => {
                self.now = request.expires;
                return self.handle(vec![Input::Tick]);
            }
        };
        self.answer(decision, request.plan, request.wave);
    }

    /// Looks at what is to be passed.
    fn look(&mut self, step: Step) -> Input {
        self.looks += 1;
        match step.kind {
            StepKind::RunCommand { place, targets, .. } => {
                invariant_a_gate_is_for_targets_that_ended(self, targets.iter().map(|(t, _)| t));
                let result = match self.health {
                    Health::Good | Health::Late | Health::Unseen => Ok("all is well".to_owned()),
                    Health::Bad | Health::Missing => Err("exit code 1".to_owned()),
                };
                Input::CommandEnded { place, result }
            }
            StepKind::ReadAlarms {
                place,
                specs,
                after,
                ..
            } => {
                invariant_a_gate_is_for_targets_that_ended(self, specs.iter().map(|s| &s.target));
                specs.iter().for_each(invariant_execution_has_its_own_role);
                self.now += SignedDuration::try_from(after).unwrap();
                let found = |state, reason: &str| {
                    let found = specs.iter().map(|spec| AlarmFound {
                        state,
                        target: spec.target.clone(),
                        alarm: "errors".to_owned(),
                        reason: reason.to_owned(),
                    });
                    Ok(found.collect())
                };
                let result = match (self.health, self.looks) {
                    (Health::Bad, _) => found(AlarmState::Alarm, "too many"),
                    (Health::Missing, _) => found(AlarmState::Absent, ""),
                    (Health::Late, ..3) => found(AlarmState::NoData, ""),
                    (Health::Unseen, 1) => failure(FailureKind::CredentialsExpired),
                    (Health::Unseen, 2) => failure(FailureKind::AccessDenied),
                    (Health::Good | Health::Late | Health::Unseen, _) => Ok(Vec::new()),
                };
                Input::AlarmsRead { place, result }
            }
            _ => unreachable!("no step of a gate"),
        }
    }

    /// Lets some of what is under way come to its end.
    pub(super) fn arrive(&mut self) {
        let (mut inputs, mut done) = (Vec::new(), Vec::new());
        for _ in 0..=self.chance(2) {
            if !self.in_flight.is_empty() {
                let index = self.chance(self.in_flight.len());
                let step = self.in_flight.swap_remove(index);
                if let StepKind::Target { index, work, .. } = &step.kind {
                    done.push((*index, discriminant(work)));
                }
                inputs.extend(match is_of_gate(&step.kind) {
                    true => vec![self.look(step)],
                    false => perform(&mut self.world, step),
                });
            }
        }
        let before = self.events.len();
        self.handle(inputs);
        if self.events.len() == before {
            invariant_what_came_to_nothing_is_not_begun_again(self, &done);
        }
    }

    pub(super) fn disturb(&mut self) {
        match self.chance(6) {
            0 | 1 => self.crash(),
            2 => self.stop(StopMode::Wait),
            3 => {
                self.stop(StopMode::Abandon);
                self.crash();
            }
            4 => match (&self.machine.state().gate, self.machine.state().plan) {
                // About the plan, while something else is asked or time passes.
                (Some(_), Some(plan)) => self.answer(Decision::Reject, plan, None),
                (Some(_), None) | (None, _) => {
                    self.answer(Decision::Approve, Digest::of(b"another plan"), None);
                }
            },
            _ => {
                // Given in time, read whenever.
                let request = self.machine.state().approval.clone();
                if let Some(request) = request.filter(|_| !self.machine.state().awaits_answer()) {
                    let message = answer(Decision::Reject, request.plan, None, request.requested);
                    self.handle(vec![Input::Inbox(vec![message])]);
                }
            }
        }
    }

    /// Returns whether somebody is asked about a target that was accepted and whose end cannot be seen.
    fn asks_about_an_end(&self) -> bool {
        let state = self.machine.state();
        let is_accepted = |target: &Target| state.targets[target].phase == Phase::Running;
        state.asked_about.iter().any(is_accepted)
    }

    /// Says that the only one of them is not to be waited for, or gives the execution up.
    fn let_go(&mut self) {
        let state = self.machine.state();
        // It was given up by who knew of them: whoever takes it up has nothing to say.
        if state.asked_about.is_subset(&state.unseen) {
            return self.resume();
        }
        match state.asked_about.len() == 1 && self.chance(2) == 0 {
            true => self.resume_with(UnknownPolicy::NotExecuted),
            false => self.give_up(),
        }
    }

    /// Nothing answers in the second region, however often somebody asks.
    fn darken(&mut self) {
        for stack in self.world.values_mut() {
            if stack.script.second_region {
                stack.script.silent = u8::MAX;
            }
        }
    }

    /// Gives the execution up, in the running process or while none runs it.
    pub(super) fn give_up(&mut self) {
        match self.chance(5) {
            0 => return self.stop(StopMode::GiveUp),
            1 => {
                // What was looked into meanwhile was kept for a resumption.
                self.stop(StopMode::Wait);
                for _ in 0..self.chance(8) {
                    self.arrive();
                }
                return self.stop(StopMode::GiveUp);
            }
            2 => {
                // The process that it was posted to left before it was read.
                let unreachable = self.machine.state().unreachable.clone();
                self.crash();
                return self.handle(vec![Input::Inbox(vec![InboxMessage::Stop(StopRequest {
                    unreachable,
                    ..giving_up()
                })])]);
            }
            _ => {}
        }
        self.in_flight.clear();
        let request = giving_up();
        let state = Execution::replay(&self.events).unwrap();
        let event = state.follow(self.now, EventKind::StopRequested { request });
        self.events.push(event.unwrap());
        let owner = "laptop:3".to_owned();
        let (machine, turn) = Machine::resume(
            Execution::replay(&self.events).unwrap(),
            owner,
            UnknownPolicy::Ask,
            BTreeMap::new(),
            self.now,
        );
        self.machine = machine;
        self.commit(turn, false);
    }

    pub(super) fn stop(&mut self, mode: StopMode) {
        self.handle(vec![Input::Stop(StopRequest {
            mode,
            by: approver(),
            reason: String::new(),
            unreachable: Default::default(),
        })]);
    }

    pub(super) fn answer(&mut self, decision: Decision, plan: Digest, wave: Option<WaveName>) {
        let message = answer(decision, plan, wave, self.now);
        self.handle(vec![Input::Inbox(vec![message])]);
    }

    /// Ends the process: each call under way was carried out or not, and nobody hears of it.
    pub(super) fn crash(&mut self) {
        for step in std::mem::take(&mut self.in_flight) {
            if self.chance(2) == 0 && !is_of_gate(&step.kind) {
                perform(&mut self.world, step);
            }
        }
        self.resume();
    }

    pub(super) fn resume(&mut self) {
        self.resume_with(UnknownPolicy::Ask);
    }

    fn resume_with(&mut self, unknown: UnknownPolicy) {
        invariant_replay_equals_live(self);
        if self.machine.state().outcome.is_some() {
            return;
        }
        let owner = "laptop:2".to_owned();
        let (machine, turn) = Machine::resume(
            Execution::replay(&self.events).unwrap(),
            owner,
            unknown,
            BTreeMap::new(),
            self.now,
        );
        self.machine = machine;
        self.in_flight.clear();
        self.commit(turn, false);
    }

    pub(super) fn handle(&mut self, inputs: Vec<Input>) {
        let was_draining = is_draining(&self.machine);
        let turn = self.machine.handle(inputs, self.now);
        self.commit(turn, was_draining);
    }

    pub(super) fn commit(&mut self, turn: Turn, was_draining: bool) {
        self.events.extend(turn.events.iter().cloned());
        invariant_nothing_executes_before_approval_of_that_plan(self, &turn);
        // Giving up takes the place of a stop that can be resumed: its clean-up begins at once.
        let drains = was_draining && is_draining(&self.machine);
        invariant_nothing_begins_while_stopping(&turn, drains);
        invariant_nothing_begins_after_giving_up(self, &turn);
        invariant_in_flight_never_exceeds_preferences(self, &turn);
        invariant_a_wave_begins_when_the_ones_before_ended_and_their_gates_opened(self, &turn);
        self.in_flight.extend(turn.steps);
    }

    pub(super) fn outcomes(&self) -> BTreeMap<Target, Option<TargetOutcome>> {
        let targets = self.machine.state().targets.iter();
        targets
            .map(|(target, state)| (target.clone(), state.outcome.clone()))
            .collect()
    }
}

/// Returns what a step does about its target, if it has one.
pub(super) fn work(step: &Step) -> Option<&TargetWork> {
    match &step.kind {
        StepKind::Target { work, .. } => Some(work),
        StepKind::SnapshotSource { .. }
        | StepKind::ReadAlarms { .. }
        | StepKind::RunCommand { .. } => None,
    }
}

fn is_of_gate(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::ReadAlarms { .. } | StepKind::RunCommand { .. }
    )
}

pub(super) fn is_draining(machine: &Machine) -> bool {
    machine.state().paused.is_some() || machine.state().stop.is_some()
}

pub(super) fn approver() -> Approver {
    Approver {
        arn: None,
        os_user: "ana".to_owned(),
        host: "laptop".to_owned(),
    }
}

fn giving_up() -> StopRequest {
    StopRequest {
        mode: StopMode::GiveUp,
        by: approver(),
        reason: String::new(),
        unreachable: Default::default(),
    }
}

pub(super) fn answer(
    decision: Decision,
    plan: Digest,
    wave: Option<WaveName>,
    at: Timestamp,
) -> InboxMessage {
    InboxMessage::Answer(Answer {
        decision,
        plan,
        wave,
        approver: approver(),
        origin: Origin::Command,
        at,
        summary: String::new(),
        covers: None,
    })
}

pub(super) fn target(n: usize, second_region: bool) -> Target {
    Target {
        account: AccountId::new(format!("{n:012}")).unwrap(),
        region: Region::new(if second_region {
            "us-east-1"
        } else {
            "eu-west-1"
        })
        .unwrap(),
        stack: StackName::new("network").unwrap(),
    }
}

pub(super) fn definition(
    targets: Vec<Target>,
    preferences: &OperationPreferences,
    gates: &[Vec<Gate>],
    deletes: bool,
) -> ExecutionDefinition {
    // Dealt in turn; those of the last hand are named by no wave.
    let hands = gates.len() + 1;
    let waves = gates.iter().enumerate().map(|(n, gates)| Wave {
        name: WaveName::new(format!("wave-{n}")).unwrap(),
        targets: targets.iter().skip(n).step_by(hands).cloned().collect(),
        preferences: None,
        gates: gates.clone(),
        ended: Vec::new(),
    });
    let waves = waves.collect();
    let specs = targets.into_iter().map(|target| TargetSpec {
        target,
        role_arn: Some("plan".to_owned()),
        execute_role_arn: Some("execute".to_owned()),
    });
    let fan_out = FanOut {
        targets: specs.collect(),
        preferences: preferences.clone(),
        waves,
    };
    let deletion = Deletion {
        wait: None,
        stack: StackName::new("network").unwrap(),
        only_failed: false,
        retain: Vec::new(),
        role_arn: None,
        fan_out: fan_out.clone(),
        approval_minutes: 600,
        risks: crate::model::RiskChoices::default(),
    };
    let deployment = Deployment {
        wait: None,
        stack: StackName::new("network").unwrap(),
        template: "network.yaml".to_owned(),
        files: vec!["network.yaml".to_owned()],
        configuration: None,
        parameter_overrides: None,
        parameter_origins: Default::default(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        role_arn: None,
        artifact_bucket: None,
        stack_policy: None,
        options: crate::model::StackOptions::default(),
        packaged: Vec::new(),
        template_buckets: None,
        fan_out,
        rolls_back: false,
        approval_minutes: 600,
        risks: crate::model::RiskChoices::default(),
        notes: Vec::new(),
    };
    ExecutionDefinition {
        pipeline: match deletes {
            true => deletion.pipeline(),
            false => deployment.pipeline(),
        },
        invocation: Invocation::default(),
        secrets: BTreeMap::new(),
        allow_literal_secrets: false,
        left_out: Vec::new(),
    }
}
