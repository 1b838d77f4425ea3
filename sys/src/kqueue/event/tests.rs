//! Each row of the kqueue tables in `docs/portability.md`, as the values that the kernel gives.

use std::io::ErrorKind;

use super::*;
use crate::clock::Instant;

const STREAM: Watched = Watched {
    interest: Interest::READ.union(Interest::WRITE),
    is_pipe: false,
};
const PIPE_READER: Watched = Watched {
    interest: Interest::READ,
    is_pipe: true,
};
const PIPE_WRITER: Watched = Watched {
    interest: Interest::WRITE,
    is_pipe: true,
};
const READ_END: Ready = Ready::READABLE.union(Ready::READ_CLOSED);
const WRITE_END: Ready = Ready::WRITABLE.union(Ready::WRITE_CLOSED);

fn raw(filter: Filter, flags: u32, fflags: u32, data: i64) -> RawChange {
    RawChange {
        filter,
        flags,
        fflags,
        data,
    }
}

fn read(flags: u32, data: i64) -> RawChange {
    raw(Filter::Read, flags, 0, data)
}

fn write(flags: u32, data: i64) -> RawChange {
    raw(Filter::Write, flags, 0, data)
}

mod what_kqueue_answers {
    use super::*;

    #[test]
    fn only_the_filter_concerned_fires() {
        assert_eq!(ready_of(read(EV_CLEAR, 5), STREAM), Some(Ready::READABLE));
        assert_eq!(
            ready_of(write(EV_CLEAR, 8192), STREAM),
            Some(Ready::WRITABLE)
        );
    }

    #[test]
    fn data_of_read_is_a_count_and_changes_nothing() {
        assert_eq!(
            ready_of(read(EV_CLEAR, 1), STREAM),
            ready_of(read(EV_CLEAR, 1 << 30), STREAM)
        );
    }

    #[test]
    fn a_half_close_with_data_unread_is_readable_and_closed_for_read_at_once() {
        assert_eq!(
            ready_of(read(EV_CLEAR | EV_EOF, 100), STREAM),
            Some(READ_END)
        );
    }

    #[test]
    fn hz_c16_a_half_close_with_nothing_unread_does_not_close_the_writing_half() {
        assert_eq!(ready_of(read(EV_CLEAR | EV_EOF, 0), STREAM), Some(READ_END));
    }

    #[test]
    fn hz_c18_a_peer_that_closed_is_the_end_of_both_filters() {
        assert_eq!(ready_of(read(EV_EOF, 0), STREAM), Some(READ_END));
        assert_eq!(ready_of(write(EV_EOF, 0), STREAM), Some(WRITE_END));
    }

    #[test]
    fn a_pipe_whose_reader_closed_is_the_end_of_write_and_no_error() {
        assert_eq!(ready_of(write(EV_EOF, 0), PIPE_WRITER), Some(WRITE_END));
        // FreeBSD has deleted the filter by itself.
        assert!(is_forgiven_on_delete(libc::ENOENT));
    }

    #[test]
    fn a_refused_connect_is_an_error_in_every_armed_direction() {
        let refused = raw(Filter::Write, EV_EOF, libc::ECONNREFUSED as u32, 0);
        let all = WRITE_END | Ready::ERROR | Ready::READABLE;
        assert_eq!(ready_of(refused, STREAM), Some(all));
        let only_write = Watched {
            interest: Interest::WRITE,
            is_pipe: false,
        };
        assert_eq!(
            ready_of(refused, only_write),
            Some(WRITE_END | Ready::ERROR)
        );
    }

    #[test]
    fn an_add_again_with_data_waiting_is_an_event_like_any_other() {
        assert_eq!(
            ready_of(read(EV_ADD | EV_CLEAR, 3), STREAM),
            Some(Ready::READABLE)
        );
    }

    #[test]
    fn neither_oneshot_nor_dispatch_is_ever_asked_for() {
        const EV_ONESHOT: u32 = 0x10;
        const EV_DISPATCH: u32 = 0x80;
        for verb in [Verb::Add, Verb::Delete, Verb::Trigger] {
            assert_eq!(verb.flags() & (EV_ONESHOT | EV_DISPATCH), 0);
        }
        assert_eq!(Verb::Add.flags(), EV_ADD | EV_CLEAR);
    }

    #[test]
    fn a_receipt_says_nothing_whatever_flags_it_echoes() {
        for echoed in [EV_ADD | EV_RECEIPT, EV_ADD, 0] {
            assert_eq!(ready_of(read(echoed | EV_ERROR, 0), STREAM), None);
        }
    }

    #[test]
    fn deleting_what_is_not_there_or_closed_is_forgiven_and_nothing_else_is() {
        assert!(is_forgiven_on_delete(libc::ENOENT));
        assert!(is_forgiven_on_delete(libc::EBADF));
        assert!(!is_forgiven_on_delete(libc::ENOMEM));
    }

    #[test]
    fn hz_c12_a_regular_file_and_a_directory_are_unsupported() {
        for file_type in [
            FileType::RegularFile,
            FileType::Directory,
            FileType::BlockDevice,
        ] {
            assert_eq!(
                is_pipe(file_type).unwrap_err().kind(),
                ErrorKind::Unsupported
            );
        }
    }

    #[test]
    fn a_user_event_is_no_readiness_however_often_it_was_triggered() {
        assert_eq!(ready_of(raw(Filter::User, EV_CLEAR, 0, 3), STREAM), None);
        assert_eq!(
            Verb::Trigger.flags() & EV_ADD,
            0,
            "FreeBSD loses a trigger that comes with one"
        );
    }

    /// The rows of EVFILT_TIMER, EVFILT_SIGNAL (ignored, counted) and EVFILT_PROC (status, zombie,
    /// reaped pid) are about filters that the selector never registers.
    #[test]
    fn timers_signals_and_processes_say_nothing_to_a_registration() {
        for data in [0, 1, 2] {
            assert_eq!(
                ready_of(raw(Filter::Other, EV_CLEAR, 0, data), STREAM),
                None
            );
        }
        let exited = raw(Filter::Other, EV_EOF, 0x8000_0000, 0);
        assert_eq!(ready_of(exited, STREAM), None);
    }

    #[test]
    fn esrch_of_a_zombie_is_not_forgiven_by_mistake() {
        assert_eq!(
            verdict_of_add(Filter::Read, libc::ESRCH, STREAM),
            Verdict::Refused(libc::ESRCH)
        );
    }

    #[test]
    fn ebadf_in_the_child_of_a_fork_is_an_error_of_add() {
        let verdict = verdict_of_add(Filter::Read, libc::EBADF, STREAM);
        assert_eq!(verdict, Verdict::Refused(libc::EBADF));
        assert_eq!(refusal(libc::EBADF).raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn an_error_entry_is_every_armed_direction() {
        let broken = read(EV_ERROR, i64::from(libc::EBADF));
        let ready = Ready::ERROR | Ready::READABLE | Ready::WRITABLE;
        assert_eq!(ready_of(broken, STREAM), Some(ready));
    }
}

mod kinds_of_descriptor {
    use super::*;

    #[test]
    fn a_device_that_macos_refuses_is_unsupported() {
        for errno in [libc::EINVAL, libc::ENODEV] {
            assert_eq!(
                verdict_of_add(Filter::Read, errno, STREAM),
                Verdict::Refused(errno)
            );
            assert_eq!(refusal(errno).kind(), ErrorKind::Unsupported);
        }
        assert!(!is_pipe(FileType::CharacterDevice).unwrap());
    }

    #[test]
    fn a_terminal_is_like_a_stream() {
        assert_eq!(ready_of(read(EV_CLEAR, 1), STREAM), Some(Ready::READABLE));
    }

    #[test]
    fn a_pty_master_whose_slave_closed_is_at_its_end() {
        assert_eq!(ready_of(read(EV_EOF, 0), STREAM), Some(READ_END));
    }

    #[test]
    fn the_read_end_of_a_pipe_without_writers_is_at_its_end() {
        assert_eq!(ready_of(read(EV_EOF, 12), PIPE_READER), Some(READ_END));
        assert_eq!(ready_of(read(EV_EOF, 0), PIPE_READER), Some(READ_END));
    }

    #[test]
    fn the_write_end_of_a_pipe_without_readers_is_at_its_end_by_either_filter() {
        assert_eq!(ready_of(write(EV_EOF, 0), PIPE_WRITER), Some(WRITE_END));
        assert_eq!(ready_of(read(EV_EOF, 0), PIPE_WRITER), Some(WRITE_END));
    }

    #[test]
    fn a_silent_watch_on_a_write_end_says_nothing_but_the_end() {
        assert_eq!(ready_of(read(EV_CLEAR, 1), PIPE_WRITER), None);
        let filters: Vec<Filter> = filters_of(Interest::WRITE, true).collect();
        assert_eq!(filters.contains(&Filter::Read), WATCHES_PIPES);
    }

    #[test]
    fn a_fifo_whose_writer_came_and_went_is_at_its_end() {
        assert!(is_pipe(FileType::Fifo).unwrap());
        assert_eq!(ready_of(read(EV_EOF, 0), PIPE_READER), Some(READ_END));
    }

    #[test]
    fn a_socket_shut_down_on_both_sides_is_at_the_end_of_both_filters() {
        assert_eq!(ready_of(read(EV_EOF, 0), STREAM), Some(READ_END));
        assert_eq!(ready_of(write(EV_EOF, 0), STREAM), Some(WRITE_END));
        assert!(!is_pipe(FileType::Socket).unwrap());
    }

    #[test]
    fn a_reset_is_an_error_on_both_filters() {
        let errno = libc::ECONNRESET as u32;
        let all = Ready::ERROR | Ready::READABLE | Ready::WRITABLE;
        let by_read = ready_of(raw(Filter::Read, EV_EOF, errno, 0), STREAM);
        assert_eq!(by_read, Some(all | Ready::READ_CLOSED));
        let by_write = ready_of(raw(Filter::Write, EV_EOF, errno, 0), STREAM);
        assert_eq!(by_write, Some(all | Ready::WRITE_CLOSED));
    }

    #[test]
    fn a_kqueue_in_a_kqueue_is_readable() {
        let queue = Watched {
            interest: Interest::READ,
            is_pipe: false,
        };
        assert_eq!(ready_of(read(EV_CLEAR, 1), queue), Some(Ready::READABLE));
    }
}

#[test]
fn out_of_band_data_is_priority_and_its_note_is_no_errno() {
    const NOTE_OOB: u32 = 2;
    let watched = Watched {
        interest: Interest::READ | Interest::PRIORITY,
        is_pipe: false,
    };
    assert_eq!(
        ready_of(raw(Filter::Except, EV_CLEAR, NOTE_OOB, 0), watched),
        Some(Ready::PRIORITY)
    );
    let at_end = raw(Filter::Except, EV_CLEAR | EV_EOF, NOTE_OOB, 0);
    assert_eq!(ready_of(at_end, watched), Some(Ready::PRIORITY));
}

#[test]
fn each_interest_has_its_filter() {
    let all: Vec<Filter> = filters_of(Interest::all(), false).collect();
    assert_eq!(all, [Filter::Read, Filter::Write, Filter::Except]);
    let read: Vec<Filter> = filters_of(Interest::READ, true).collect();
    assert_eq!(read, [Filter::Read]);
    assert_eq!(filters_of(Interest::empty(), true).count(), 0);
}

#[test]
fn a_pipe_that_is_gone_already_owes_its_end() {
    for errno in [libc::EPIPE, libc::EBADF] {
        assert_eq!(
            verdict_of_add(Filter::Write, errno, PIPE_WRITER),
            Verdict::Owes(WRITE_END)
        );
        assert_eq!(
            verdict_of_add(Filter::Read, errno, PIPE_READER),
            Verdict::Owes(READ_END)
        );
    }
    assert_eq!(
        verdict_of_add(Filter::Write, libc::EPIPE, STREAM),
        Verdict::Owes(WRITE_END)
    );
    assert_eq!(verdict_of_add(Filter::Write, 0, STREAM), Verdict::Accepted);
}

#[test]
fn the_refusal_of_a_silent_watch_is_no_refusal() {
    assert_eq!(
        verdict_of_add(Filter::Read, libc::EINVAL, PIPE_WRITER),
        Verdict::Accepted
    );
}

#[test]
fn a_timeout_is_exact_never_negative_and_at_most_a_day() {
    let now = Instant::from_ns(1_000_000_000);
    let at = |ns| Deadline::At {
        at: Instant::from_ns(ns),
        now,
    };
    assert_eq!(timeout_of(Deadline::Now), Some(Duration::ZERO));
    assert_eq!(timeout_of(at(1_000_000_001)), Some(Duration::from_nanos(1)));
    assert_eq!(timeout_of(at(5)), Some(Duration::ZERO));
    assert_eq!(timeout_of(at(u64::MAX)), Some(TIMEOUT_MAX));
    assert_eq!(timeout_of(Deadline::Never), None);
}
