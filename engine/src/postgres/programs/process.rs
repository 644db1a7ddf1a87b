//! A running program of PostgreSQL, whose exit status decides its success.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, ReadBuf};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::pipe::PipeReader;
use crate::postgres::PostgresError;
use crate::stream::Body;

/// How much of a program's stderr is kept: its start names the first cause, its end the last.
const STDERR_LINES: usize = 20;

/// Bytes of one line; what follows counts as the next line.
const LONGEST_LINE: u64 = 16 * 1024;

/// A program that was started; killed when dropped.
pub(in crate::postgres) struct Running {
    pub(in crate::postgres) child: Child,
    stderr: JoinHandle<Said>,
    program: String,
    subject: String,
}

/// What a program wrote to stderr.
#[derive(Default)]
struct Said {
    /// The first and the last lines, without the expected ones.
    lines: Vec<String>,
    /// Whether any line was expected.
    expected: bool,
}

impl Running {
    /// Starts `command`; messages say that it works on `subject`.
    pub(in crate::postgres) fn start(command: &mut Command, subject: impl Into<String>) -> Result<Self, PostgresError> {
        Self::start_expecting(command, subject, |_| false)
    }

    /// Starts a program as [`Self::start`] does. The program may exit with 1 although it did all of
    /// its work, if its stderr contains only `expected` lines.
    pub(in crate::postgres) fn start_expecting(
        command: &mut Command,
        subject: impl Into<String>,
        expected: fn(&str) -> bool,
    ) -> Result<Self, PostgresError> {
        let path = std::path::PathBuf::from(command.as_std().get_program());
        let program = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        // Messages are shown to operators and searched for hints: this needs one language.
        command.env("LC_MESSAGES", "C").env_remove("LC_ALL").env_remove("LANGUAGE");
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| PostgresError::Run { program: path.clone(), source })?;
        let stderr = child
            .stderr
            .take()
            .ok_or_else(|| PostgresError::Run { program: path, source: io::ErrorKind::BrokenPipe.into() })?;
        Ok(Self { child, stderr: tokio::spawn(last_lines(stderr, expected)), program, subject: subject.into() })
    }

    /// Waits for its end. Returns what it wrote to stderr.
    ///
    /// # Errors
    /// [`PostgresError::Failed`] with the end of its stderr if it failed.
    pub(in crate::postgres) async fn wait(mut self) -> Result<Vec<String>, PostgresError> {
        let ended = self.child.wait().await;
        let Said { lines: stderr, expected } = self.stderr.await.unwrap_or_default();
        let status = match ended {
            Ok(status) if status.success() => return Ok(stderr),
            Ok(status) if status.code() == Some(1) && expected && stderr.is_empty() => return Ok(stderr),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let stderr = if stderr.is_empty() { "it wrote no error".to_owned() } else { stderr.join("; ") };
        Err(PostgresError::Failed { program: self.program, status, subject: self.subject, stderr })
    }
}

/// Reads to the end, so that the program never waits, and keeps the first and the last lines.
async fn last_lines(stderr: ChildStderr, is_expected: fn(&str) -> bool) -> Said {
    let mut reader = BufReader::new(stderr);
    let mut expected = false;
    let mut first = Vec::new();
    let mut last = VecDeque::new();
    let mut line = Vec::new();
    // A quoted text may have no line end.
    while let Ok(1..) = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if is_expected(&text) {
            expected = true;
            continue;
        }
        if first.len() < STDERR_LINES / 2 {
            first.push(text);
            continue;
        }
        if last.len() == STDERR_LINES / 2 {
            last.pop_front();
        }
        last.push_back(text);
    }
    first.extend(last);
    Said { lines: first, expected }
}

/// Returns the stdout of a program as a [`Body`]: after the last byte it waits for the program, and
/// ends in `Ok` only if that succeeded.
pub(in crate::postgres) fn body_of(running: Running) -> Result<Body, PostgresError> {
    body_and_end(running, async |running: Running| running.wait().await.map(drop).map_err(io::Error::other))
}

/// Returns the stdout as [`body_of`] does, of a program whose stdin `feeder` writes. Both must
/// succeed. The feeder's failure is the cause, whatever the program reports about half its input.
/// The result of `feeder` is kept until the program has ended, for other files that the program
/// reads.
pub(in crate::postgres) fn body_of_fed<T: Send + 'static>(
    running: Running,
    feeder: impl Future<Output = io::Result<T>> + Send + 'static,
) -> Result<Body, PostgresError> {
    let feeder = AbortOnDropHandle::new(tokio::spawn(feeder));
    body_and_end(running, async move |running: Running| {
        let _kept = feeder.await.map_err(io::Error::from).flatten()?;
        running.wait().await.map(drop).map_err(io::Error::other)
    })
}

fn body_and_end<F>(mut running: Running, end: impl FnOnce(Running) -> F) -> Result<Body, PostgresError>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let Some(stdout) = running.child.stdout.take() else {
        return Err(PostgresError::Run { program: running.program.into(), source: io::ErrorKind::BrokenPipe.into() });
    };
    let stdout = PipeReader::start(stdout)
        .map_err(|source| PostgresError::Run { program: running.program.clone().into(), source })?;
    // Not polled before the last byte was read; until then a drop ends everything that it holds.
    Ok(Box::pin(ProcessBody::Reading(stdout, Some(Box::pin(end(running))))))
}

type End = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

enum ProcessBody {
    Reading(PipeReader, Option<End>),
    Waiting(End),
    Succeeded,
    Failed,
}

impl AsyncRead for ProcessBody {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut *self {
                Self::Reading(stdout, end) => {
                    let before = buf.filled().len();
                    ready!(Pin::new(stdout).poll_read(cx, buf))?;
                    if buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                    *self = end.take().map_or(Self::Failed, Self::Waiting);
                }
                Self::Waiting(ended) => match ready!(ended.as_mut().poll(cx)) {
                    Ok(()) => *self = Self::Succeeded,
                    Err(error) => {
                        *self = Self::Failed;
                        return Poll::Ready(Err(error));
                    }
                },
                Self::Succeeded => return Poll::Ready(Ok(())),
                Self::Failed => return Poll::Ready(Err(io::Error::other("the program had failed already"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn shell(script: &str) -> Body {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped());
        body_of(Running::start(&mut command, "a test").unwrap()).unwrap()
    }

    async fn read(mut body: Body) -> (Vec<u8>, io::Result<usize>) {
        let mut bytes = Vec::new();
        let result = body.read_to_end(&mut bytes).await;
        (bytes, result)
    }

    #[tokio::test]
    async fn successful_program_ends_its_stream() {
        let (bytes, result) = read(shell("echo out; echo err >&2")).await;
        assert_eq!((bytes.as_slice(), result.unwrap()), (&b"out\n"[..], 4));
    }

    #[tokio::test]
    async fn output_arrives_complete_and_in_order() {
        let (bytes, result) = read(shell("seq 1 400000; for i in 1 2 3; do echo $i; sleep 0.01; done")).await;
        let expected: String = (1..=400_000).chain(1..=3).map(|i| format!("{i}\n")).collect();
        assert!(bytes == expected.as_bytes());
        assert_eq!(result.unwrap(), expected.len());
    }

    #[tokio::test]
    async fn late_exit_status_fails_stream() {
        let (bytes, result) = read(shell("echo all there; exec >&-; echo 'no, it is not' >&2; exit 3")).await;
        assert_eq!(bytes, b"all there\n");
        assert_eq!(result.unwrap_err().to_string(), "sh failed (exit status: 3) on a test: no, it is not");
    }

    #[tokio::test]
    async fn feeder_result_outlives_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a list").unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "cat; cat \"$0\""]).arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(&mut command, "a test").unwrap();
        let stdin = running.child.stdin.take();
        let fed = async move {
            drop(stdin);
            Ok(file)
        };
        let (bytes, result) = read(body_of_fed(running, fed).unwrap()).await;
        assert_eq!((bytes.as_slice(), result.unwrap()), (&b"a list"[..], 6));
    }

    #[tokio::test]
    async fn killed_program_fails_its_stream() {
        let (_, result) = read(shell("echo half; kill -9 $$")).await;
        assert_eq!(result.unwrap_err().to_string(), "sh failed (signal: 9 (SIGKILL)) on a test: it wrote no error");
    }

    #[tokio::test]
    async fn long_stderr_neither_blocks_nor_grows() {
        let (_, result) = read(shell("seq 1 100000 >&2; exit 1")).await;
        let text = result.unwrap_err().to_string();
        assert!(text.contains("on a test: 1; 2; ") && text.ends_with("; 99999; 100000"), "{text}");
        assert!(text.len() < 300);
    }

    #[tokio::test]
    async fn only_expected_lines_excuse_exit_status() {
        let run = async |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            Running::start_expecting(&mut command, "a test", |line| line == "known").unwrap().wait().await
        };
        run("echo known >&2; exit 1").await.unwrap();
        for script in
            ["exit 1", "echo known >&2; exit 2", "echo known >&2; kill -9 $$", "echo known >&2; echo new >&2; exit 1"]
        {
            run(script).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn dropped_stream_kills_program() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec sleep 600"]).stdout(Stdio::piped());
        let running = Running::start(&mut command, "a test").unwrap();
        let pid = rustix::process::Pid::from_raw(running.child.id().unwrap().try_into().unwrap()).unwrap();
        drop(body_of(running).unwrap());
        // The runtime reaps it later; until then it is at least not running any more.
        while rustix::process::test_kill_process(pid).is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
