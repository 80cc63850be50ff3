//! `join!`, `try_join!` and `select!`.

/// Awaits several futures at once, in one task: the tuple of their outputs.
///
/// ```
/// # asyncloop::block_on(async {
/// let (a, b) = asyncloop::join!(async { 1 }, async { "two" });
/// assert_eq!((a, b), (1, "two"));
/// # });
/// ```
#[macro_export]
macro_rules! join {
    ($($future:expr),+ $(,)?) => {
        $crate::__names!([__join] [$($future,)+] [])
    };
}

/// The same for futures that give a `Result`: the tuple of their values, or the first error,
/// and then the others are dropped.
///
/// ```
/// # asyncloop::block_on(async {
/// let both = asyncloop::try_join!(async { Ok::<_, u8>(1) }, async { Err::<i32, _>(2) });
/// assert_eq!(both, Err(2));
/// # });
/// ```
#[macro_export]
macro_rules! try_join {
    ($($future:expr),+ $(,)?) => {
        $crate::__names!([__try_join] [$($future,)+] [])
    };
}

// Gives each expression a name of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __names {
    ([$to:ident] [] [$($name:ident = $future:expr,)*]) => { $crate::$to!($($name = $future,)*) };
    ([$to:ident] [$future:expr, $($rest:expr,)*] []) => {
        $crate::__names!([$to] [$($rest,)*] [a = $future,])
    };
    ([$to:ident] [$future:expr, $($rest:expr,)*] [a = $a:expr,]) => {
        $crate::__names!([$to] [$($rest,)*] [a = $a, b = $future,])
    };
    ([$to:ident] [$future:expr, $($rest:expr,)*] [a = $a:expr, b = $b:expr,]) => {
        $crate::__names!([$to] [$($rest,)*] [a = $a, b = $b, c = $future,])
    };
    ([$to:ident] [$future:expr, $($rest:expr,)*] [a = $a:expr, b = $b:expr, c = $c:expr,]) => {
        $crate::__names!([$to] [$($rest,)*] [a = $a, b = $b, c = $c, d = $future,])
    };
    ([$to:ident] [$future:expr, $($rest:expr,)*]
        [a = $a:expr, b = $b:expr, c = $c:expr, d = $d:expr,]) => {
        $crate::__names!([$to] [$($rest,)*] [a = $a, b = $b, c = $c, d = $d, e = $future,])
    };
    ([$to:ident] [$future:expr, $($rest:expr,)*]
        [a = $a:expr, b = $b:expr, c = $c:expr, d = $d:expr, e = $e:expr,]) => {
        $crate::__names!([$to] [$($rest,)*] [a = $a, b = $b, c = $c, d = $d, e = $e, f = $future,])
    };
    ([$to:ident] [$future:expr, $($rest:expr,)*] [$($name:ident = $more:expr,)*]) => {
        compile_error!("at most six futures: see join_all for more")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    ($($name:ident = $future:expr,)*) => {{
        $(let mut $name = ::std::boxed::Box::pin($crate::__private::MaybeDone::new($future));)*
        $crate::__private::poll_fn(|context| {
            let mut all = true;
            $(all &= $name.as_mut().poll_done(context);)*
            if all { ::std::task::Poll::Ready(()) } else { ::std::task::Poll::Pending }
        })
        .await;
        ($($name.as_mut().take(),)*)
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __try_join {
    ($($name:ident = $future:expr,)*) => {{
        $(let mut $name = ::std::boxed::Box::pin($crate::__private::MaybeDone::new($future));)*
        $crate::__private::poll_fn(|context| {
            let mut all = true;
            $(
                all &= $name.as_mut().poll_done(context);
                if let ::std::option::Option::Some(why) = $name.as_mut().failed() {
                    return ::std::task::Poll::Ready(::std::result::Result::Err(why));
                }
            )*
            if all {
                ::std::task::Poll::Ready(::std::result::Result::Ok(()))
            } else {
                ::std::task::Poll::Pending
            }
        })
        .await
        .map(|()| ($($name.as_mut().take_ok(),)*))
    }};
}

/// Awaits several futures at once, and does what belongs to the first one that is done; the
/// others are dropped, and so cancelled. If several are done, the first in the list counts.
///
/// A future that must not be cancelled is given as `&mut future`. Up to four branches, each
/// `pattern = future => expression`, where the pattern always matches.
///
/// ```
/// use asyncloop::{select, sleep};
/// use std::time::Duration;
/// # asyncloop::block_on(async {
/// let first = select! {
///     _ = sleep(Duration::from_secs(1000)) => "the long one",
///     slept = sleep(Duration::from_millis(1)) => {
///         slept.unwrap();
///         "the short one"
///     },
/// };
/// assert_eq!(first, "the short one");
/// # });
/// ```
#[macro_export]
macro_rules! select {
    ($($branches:tt)+) => { $crate::__branches!([] $($branches)+) };
}

// Brings the branches into one form: {pattern, future, expression}.
#[doc(hidden)]
#[macro_export]
macro_rules! __branches {
    ([$($done:tt)*]) => { $crate::__select!($($done)*) };
    ([$($done:tt)*] $pattern:pat = $future:expr => $run:block, $($rest:tt)*) => {
        $crate::__branches!([$($done)* {$pattern, $future, $run}] $($rest)*)
    };
    ([$($done:tt)*] $pattern:pat = $future:expr => $run:block $($rest:tt)*) => {
        $crate::__branches!([$($done)* {$pattern, $future, $run}] $($rest)*)
    };
    ([$($done:tt)*] $pattern:pat = $future:expr => $run:expr, $($rest:tt)*) => {
        $crate::__branches!([$($done)* {$pattern, $future, $run}] $($rest)*)
    };
    ([$($done:tt)*] $pattern:pat = $future:expr => $run:expr) => {
        $crate::__branches!([$($done)* {$pattern, $future, $run}])
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    ({$p0:pat, $f0:expr, $r0:expr}) => {{ let $p0 = $f0.await; $r0 }};
    ({$p0:pat, $f0:expr, $r0:expr} {$p1:pat, $f1:expr, $r1:expr}) => {
        match $crate::__private::select($f0, $f1).await {
            $crate::Either::Left($p0) => $r0,
            $crate::Either::Right($p1) => $r1,
        }
    };
    ({$p0:pat, $f0:expr, $r0:expr} {$p1:pat, $f1:expr, $r1:expr} {$p2:pat, $f2:expr, $r2:expr}) => {
        match $crate::__private::select($f0, $crate::__private::select($f1, $f2)).await {
            $crate::Either::Left($p0) => $r0,
            $crate::Either::Right($crate::Either::Left($p1)) => $r1,
            $crate::Either::Right($crate::Either::Right($p2)) => $r2,
        }
    };
    ({$p0:pat, $f0:expr, $r0:expr} {$p1:pat, $f1:expr, $r1:expr} {$p2:pat, $f2:expr, $r2:expr}
        $({$p:pat, $f:expr, $r:expr})+) => {
        $crate::__select_more!([$p0, $f0, $r0] [$p1, $f1, $r1] [$p2, $f2, $r2]
            $([$p, $f, $r])+)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select_more {
    ([$p0:pat, $f0:expr, $r0:expr] [$p1:pat, $f1:expr, $r1:expr] [$p2:pat, $f2:expr, $r2:expr]
        [$p3:pat, $f3:expr, $r3:expr]) => {
        match $crate::__private::select(
            $crate::__private::select($f0, $f1),
            $crate::__private::select($f2, $f3),
        )
        .await
        {
            $crate::Either::Left($crate::Either::Left($p0)) => $r0,
            $crate::Either::Left($crate::Either::Right($p1)) => $r1,
            $crate::Either::Right($crate::Either::Left($p2)) => $r2,
            $crate::Either::Right($crate::Either::Right($p3)) => $r3,
        }
    };
    ($a:tt $b:tt $c:tt $($rest:tt)+) => {
        compile_error!("at most four branches: nest another select! in one of them")
    };
}
