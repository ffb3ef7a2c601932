//! What does the simulator say in English?

use super::text::Phrases;

/// English texts. `{topic}` stands for the prompt.
pub(crate) const PHRASES: Phrases = Phrases {
    greetings: &[
        "Hello! 👋 I am the **grok2api simulator**. Your request went through the whole gateway and came back to you; only the \
         model behind it is made of cardboard.",
        "Hi there! You are talking to the **simulator** that comes with grok2api. No real account was used, and nothing \
         has left this machine.",
        "Good to see you! This is the **simulator** speaking. Ask me anything: the form of the answer is real, the wisdom is not.",
    ],
    openers: &[
        "You asked: “{topic}”. No model is at work here: this answer comes from the **simulator** that grok2api brings along.",
        "“{topic}”: well asked! I am the **grok2api simulator**, so take what follows as a sample of an answer, not as \
         knowledge.",
        "About “{topic}”: I wish I knew! I am only the built-in **simulator**, but I can show you how a real answer would \
         reach you.",
        "Thank you for “{topic}”. The **simulator** of grok2api answers, quickly and without a clue.",
    ],
    bodies: &[
        "What happened on the way:\n\n\
         1. The gateway checked your key and found the model.\n\
         2. It chose an account with free room in its budget.\n\
         3. The upstream's lines were turned into the stream you are reading.\n\n\
         With a real account, only step 3 has more to say.",
        "Some things you can look at while I pretend to think:\n\n\
         - **Streaming:** each word arrived in a chunk of its own.\n\
         - **Accounts:** the pool counted this call and gave the account back.\n\
         - **Errors:** if an account were refused, another one would have stepped in before you noticed.",
        "A real answer would begin with the short version and then explain. The short version here: *it works*. The \
         explanation: your client, the gateway and the upstream protocol understand each other, from the first byte to the \
         last.\n\n> A simulator does not know the answer, but it always has one.",
    ],
    code: &[
        "Here is a small program that says as much as I know:\n\n\
         ```python\n\
         def answer(question: str) -> str:\n    \
             return f\"The simulator has heard: {question}\"\n\n\n\
         print(answer(\"Is anybody there?\"))\n\
         ```\n\n\
         It has been tested by nobody, which is unusual for this project.",
        "Code travels through the gateway untouched, for example this:\n\n\
         ```rust\n\
         fn main() {\n    \
             let chunks = [\"stream\", \"ed\", \" \", \"word\", \" by \", \"word\"];\n    \
             println!(\"{}\", chunks.concat());\n\
         }\n\
         ```\n\n\
         Angle brackets such as `Vec<u8>` and quotes such as `\"this\"` arrive as they were sent.",
    ],
    lists: &[
        "Here is a way that suits almost every plan:\n\n\
         1. **Begin small.** One account and one request are enough.\n\
         2. **Look at the answer.** Is the format what your client expects?\n\
         3. **Add accounts.** The pool spreads the calls by what each has left.\n\
         4. **Watch the numbers.** Budgets, errors and times are all counted.",
        "Five things, in no order of importance:\n\n\
         - a base address that ends in `/v1`\n\
         - an API key of your own\n\
         - a model name from the list of models\n\
         - `\"stream\": true`, if you like to watch\n\
         - patience, which the simulator does not need",
    ],
    tables: &[
        "| | simulator | real account |\n|---|---|---|\n| answers | made up here | from Grok |\n| speed | as fast as you read | as \
         fast as the model |\n| budget | counted, refilled in time | counted, refilled in time |\n| pictures | two sunsets | what \
         you asked for |",
    ],
    poems: &[
        "A request went out to the sea,\nand came back with an answer for thee;\n  no model was there,\n  but the format was \
         fair,\nand the simulation was free.",
        "Word after word arrives,\nno mind behind the window:\nthe light is still on.",
    ],
    closers: &[
        "Try *draw a lighthouse*, *search the news* or, with a thinking model, *why is the sky blue?* to see pictures, sources \
         and reasoning.",
        "Add an account when you are ready, and the same request goes to Grok.",
        "Ask again with `\"stream\": true` to watch the words arrive one by one.",
        "Everything but the words is real: the protocol, the pool, the limits and the errors.",
    ],
    thinking: &[
        ("Reading the question", &["The question is: {topic}", "It is in English, so the answer will be as well."]),
        (
            "Looking for knowledge",
            &["The simulator has none.", "It does have a pleasant tone, and that will have to do."],
        ),
        ("Planning the answer", &["Say who is speaking.", "Be short and friendly."]),
    ],
    searching: "Searching the web for “{topic}”",
    found: "Two simulated pages and a post look useful.",
    results: &[
        (
            "https://news.example/today",
            "News of the day (simulated)",
            "A quiet day: all services answer, says the simulator.",
        ),
        ("https://wiki.example/simulator", "Simulator", "A simulator behaves like the real thing without being it."),
    ],
    post: "The simulated harbour is open. Gates close at 19:00, or whenever the program ends.",
    reported: "According to the **simulated** news page, it is a quiet day and all services answer",
    sources: "The simulator made these sources up; with a real account they are pages that Grok has read.",
    pictures: "I generated images with the prompt: '{topic}'. They come from the simulator, so you see hills and a sun whatever you \
         asked for.",
    edited: "I edited the image with the prompt: '{topic}'. The simulator has replaced it by hills and a sun.",
    video: "I generated a video with the prompt: '{topic}'. It comes from the simulator.",
};
